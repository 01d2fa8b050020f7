"""The asyncio producer: one admission thread, first called first admitted, nothing lost or doubled."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import Iterator, Sequence

import pytest

from demo.stack import eventually
from producers import AsyncSignalProducer, Busy, Interrupted, NotSent, SignalProducer, aio
from producers.admission import Draft, new_id
from tests.unit.fakes import FakeBell
from worker.errors import InvalidSignal, QueueUnavailable, QueueUnreached
from worker.lanes import Admission, AdmitAnswer
from worker.records import Admitted
from worker.settings import Settings


class Gate:
    """A queue that remembers batches, and answers when it is let."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.open = threading.Event()
        self.open.set()
        self.error: Exception | None = None

    def admit(self, batch: Sequence[Admission], *, in_order: bool) -> AdmitAnswer:
        self.batches.append([item.order_id or item.id for item in batch])
        assert self.open.wait(10)
        if self.error is not None:
            raise self.error
        return AdmitAnswer(0, results=tuple(Admitted("accepted") for _ in batch))

    @property
    def admitted(self) -> list[str]:
        return [name for batch in self.batches for name in batch]


@pytest.fixture
def gate() -> Iterator[Gate]:
    queue = Gate()
    yield queue
    queue.open.set()


@pytest.fixture
def sync(gate: Gate) -> Iterator[SignalProducer]:
    with SignalProducer(settings=Settings(), queue=gate, bell=FakeBell()) as producer:
        yield producer


def signal(name: object, **fields: object) -> dict[str, object]:
    who = {"connectorName": "alpha", "connectorToken": "token-for-tests"}
    return {**who, "action": "closeLong", "clientOrderId": str(name), **fields}


async def begun(gate: Gate, batches: int = 1) -> None:
    await asyncio.to_thread(
        eventually, lambda: len(gate.batches) >= batches, within=10, what="a batch is on its way"
    )


class TestOrder:
    def test_calls_are_admitted_in_their_order_and_share_batches(
        self, gate: Gate, sync: SignalProducer
    ) -> None:
        async def main() -> None:
            async with AsyncSignalProducer(sync) as producer:
                gate.open.clear()
                tasks = [asyncio.create_task(producer.send(signal(0)))]
                await begun(gate)
                tasks += [asyncio.create_task(producer.send(signal(n))) for n in range(1, 1200)]
                await asyncio.sleep(0)
                gate.open.set()
                receipts = await asyncio.gather(*tasks)
            assert {receipt.status for receipt in receipts} == {"accepted"}

        asyncio.run(main())
        assert gate.admitted == [str(n) for n in range(1200)]
        assert [len(batch) for batch in gate.batches] == [1, *[200] * 5, 199]

    def test_after_a_crowd_those_who_come_share_a_batch(
        self, gate: Gate, sync: SignalProducer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(aio, "GATHER", 2.0)

        async def main() -> None:
            async with AsyncSignalProducer(sync) as producer:
                gate.open.clear()
                tasks = [asyncio.create_task(producer.send(signal(0)))]
                await begun(gate)
                tasks += [asyncio.create_task(producer.send(signal(n))) for n in range(1, 1 + aio.CROWD)]
                await asyncio.sleep(0)
                gate.open.set()
                await begun(gate, batches=2)
                tasks.append(asyncio.create_task(producer.send(signal("first"))))
                await asyncio.gather(*tasks[:-1])
                tasks.append(asyncio.create_task(producer.send(signal("second"))))
                await asyncio.gather(*tasks)

        asyncio.run(main())
        assert [len(batch) for batch in gate.batches] == [1, aio.CROWD, 2]

    def test_a_call_of_many_keeps_together(self, gate: Gate, sync: SignalProducer) -> None:
        async def main() -> None:
            async with AsyncSignalProducer(sync) as producer:
                many = producer.send([signal(n) for n in range(1300)])
                receipts, one = await asyncio.gather(many, producer.send(signal("last")))
                assert [receipt.connector for receipt in receipts] == ["alpha"] * 1300
                assert one.ok

        asyncio.run(main())
        assert gate.admitted == [*(str(n) for n in range(1300)), "last"]

    def test_bad_signals_get_receipts_in_their_places(self, sync: SignalProducer) -> None:
        async def main() -> list[str]:
            async with AsyncSignalProducer(sync) as producer:
                receipts = await producer.send([signal(1), signal(2, perecnt="1"), signal(3)])
            return [receipt.status for receipt in receipts]

        assert asyncio.run(main()) == ["accepted", "invalid", "accepted"]

    def test_several_loops_share_one_producer(self, gate: Gate, sync: SignalProducer) -> None:
        producer = AsyncSignalProducer(sync)
        results: list[str] = []

        def other(name: str) -> None:
            results.append(asyncio.run(producer.send(signal(name))).status)

        threads = [threading.Thread(target=other, args=(f"t{n}",)) for n in range(5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        asyncio.run(producer.close())
        assert results == ["accepted"] * 5
        assert sorted(gate.admitted) == [f"t{n}" for n in range(5)]


class TestBounds:
    def test_a_full_hall_refuses_at_once_and_sends_nothing(self, gate: Gate, sync: SignalProducer) -> None:
        async def main() -> None:
            async with AsyncSignalProducer(sync, most_waiting=2) as producer:
                gate.open.clear()
                tasks = [asyncio.create_task(producer.send(signal("in hand")))]
                await begun(gate)
                tasks += [asyncio.create_task(producer.send(signal(n))) for n in range(2)]
                await asyncio.sleep(0)
                assert producer.waiting == 2
                with pytest.raises(Busy, match="nothing was sent"):
                    await producer.send(signal("too many"))
                gate.open.set()
                await asyncio.gather(*tasks)

        asyncio.run(main())
        assert gate.admitted == ["in hand", "0", "1"]

    def test_what_has_not_begun_in_time_was_certainly_not_sent(
        self, gate: Gate, sync: SignalProducer
    ) -> None:
        async def main() -> None:
            async with AsyncSignalProducer(sync, patience=0.1) as producer:
                gate.open.clear()
                first = asyncio.create_task(producer.send(signal("in hand")))
                await begun(gate)
                with pytest.raises(NotSent):
                    await producer.send(signal("never"))
                with pytest.raises(Interrupted, match="may or may not have been taken"):
                    await first
                gate.open.set()

        asyncio.run(main())
        assert gate.admitted == ["in hand"]

    @pytest.mark.parametrize("number", range(5))
    def test_nothing_of_a_long_call_goes_out_after_its_first_part_did_not(
        self, gate: Gate, sync: SignalProducer, number: int
    ) -> None:
        async def main() -> None:
            async with AsyncSignalProducer(sync) as producer:
                call = producer.send([signal(n) for n in range(1200)])
                with pytest.raises(NotSent):
                    await call

        original = gate.admit

        def fails_first(batch: Sequence[Admission], *, in_order: bool) -> AdmitAnswer:
            answer = original(batch, in_order=in_order)
            if len(gate.batches) == 1:
                raise QueueUnreached("Redis does not answer: test")
            return answer

        gate.admit = fails_first  # type: ignore[method-assign]
        asyncio.run(main())
        assert len(gate.batches) == 1, "otherwise it would be false that nothing was sent"
        gc.collect()

    def test_a_long_call_keeps_the_receipts_it_has(self, gate: Gate, sync: SignalProducer) -> None:
        async def main() -> Interrupted:
            async with AsyncSignalProducer(sync) as producer:
                gate.open.clear()
                call = asyncio.create_task(producer.send([signal(n) for n in range(1200)]))
                await begun(gate)
                gate.error = None
                gate.open.set()
                await begun(gate, 2)
                return await trouble(call)

        async def trouble(call: asyncio.Task[object]) -> Interrupted:
            with pytest.raises(Interrupted) as caught:
                await call
            return caught.value

        original = gate.admit

        def fails_second(batch: Sequence[Admission], *, in_order: bool) -> AdmitAnswer:
            answer = original(batch, in_order=in_order)
            if len(gate.batches) > 1:
                raise QueueUnavailable("Redis does not answer: test")
            return answer

        gate.admit = fails_second  # type: ignore[method-assign]
        assert len(asyncio.run(main()).receipts) == 500
        gc.collect()  # would tell of answers that nobody looked at, which are errors here


class TestTrouble:
    @pytest.mark.parametrize(
        ("error", "told"),
        [
            (QueueUnreached("Redis does not answer: refused"), NotSent),
            (QueueUnavailable("Redis does not answer: timeout"), Interrupted),
        ],
    )
    def test_it_is_told_whether_anything_may_have_been_taken(
        self, gate: Gate, sync: SignalProducer, error: Exception, told: type[Exception]
    ) -> None:
        async def main() -> None:
            async with AsyncSignalProducer(sync) as producer:
                gate.error = error
                with pytest.raises(told):
                    await producer.send(signal(1))
                gate.error = None
                assert (await producer.send(signal(2))).ok  # the thread lives on

        asyncio.run(main())

    def test_a_bad_argument_sends_nothing(self, gate: Gate, sync: SignalProducer) -> None:
        async def main() -> None:
            async with AsyncSignalProducer(sync) as producer:
                with pytest.raises(InvalidSignal):
                    await producer.send(signal(1), max_age=-1)

        asyncio.run(main())
        assert gate.batches == []

    def test_a_cancelled_caller_takes_back_what_has_not_begun_and_nothing_else(
        self, gate: Gate, sync: SignalProducer
    ) -> None:
        async def main() -> None:
            async with AsyncSignalProducer(sync) as producer:
                gate.open.clear()
                begun_one = asyncio.create_task(producer.send(signal("begun")))
                await begun(gate)
                waiting = asyncio.create_task(producer.send(signal("waiting")))
                other = asyncio.create_task(producer.send(signal("other")))
                await asyncio.sleep(0)
                begun_one.cancel()
                waiting.cancel()
                await asyncio.gather(begun_one, waiting, return_exceptions=True)
                assert producer.waiting == 1
                gate.open.set()
                assert (await other).ok

        asyncio.run(main())
        assert gate.admitted == ["begun", "other"]


class TestClose:
    def test_what_waits_is_still_answered(self, gate: Gate, sync: SignalProducer) -> None:
        async def main() -> None:
            producer = AsyncSignalProducer(sync)
            tasks = [asyncio.create_task(producer.send(signal(n))) for n in range(3)]
            await asyncio.sleep(0)
            await producer.close()
            assert all(receipt.ok for receipt in await asyncio.gather(*tasks))
            with pytest.raises(NotSent, match="closed"):
                await producer.send(signal("late"))
            await producer.close()

        asyncio.run(main())
        assert gate.admitted == ["0", "1", "2"]

    def test_or_told_that_it_was_not_sent(self, gate: Gate, sync: SignalProducer) -> None:
        async def main() -> None:
            producer = AsyncSignalProducer(sync)
            gate.open.clear()
            first = asyncio.create_task(producer.send(signal("in hand")))
            await begun(gate)
            second = asyncio.create_task(producer.send(signal("waiting")))
            await asyncio.sleep(0)
            await producer.close(within=0.05)
            with pytest.raises(NotSent, match="nothing was sent"):
                await second
            gate.open.set()
            assert (await first).ok

        asyncio.run(main())
        assert gate.admitted == ["in hand"]

    def test_a_loop_that_is_gone_disturbs_nobody(self, gate: Gate, sync: SignalProducer) -> None:
        producer = AsyncSignalProducer(sync)

        async def leave() -> None:
            gate.open.clear()
            task = asyncio.create_task(producer.send(signal("orphan")))
            await begun(gate)
            task.cancel()

        asyncio.run(leave())
        gate.open.set()
        assert asyncio.run(producer.send(signal("next"))).ok
        asyncio.run(producer.close())


def test_drafts_may_have_terms_of_their_own(gate: Gate, sync: SignalProducer) -> None:
    seen: list[Admission] = []
    original = gate.admit

    def spy(batch: Sequence[Admission], *, in_order: bool) -> AdmitAnswer:
        seen.extend(batch)
        return original(batch, in_order=in_order)

    gate.admit = spy  # type: ignore[method-assign]

    async def main() -> None:
        async with AsyncSignalProducer(sync) as producer:
            wishes = [
                (Draft(signal(1), "k", new_id(), key_window=60.0), sync.terms(dedup_window=5.0)),
                (Draft(signal(2)), sync.terms(max_age=7.0)),
            ]
            await producer.admit(wishes)

    asyncio.run(main())
    assert [(one.window_ms, one.key_window_ms, one.max_age_ms) for one in seen] == [
        (5000, 60_000, None),
        (86_400_000, None, 7000),
    ]
