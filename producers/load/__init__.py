"""Loads files of signals: in constant memory, and resumable without sending anything twice.

source (which file) ──▶ lines ──▶ rows (JSON lines, CSV) ──▶ loader ──▶ SignalProducer
                                                              ├──▶ progress  (how far, under which run)
                                                              └──▶ rejects   (lines set aside)
"""
