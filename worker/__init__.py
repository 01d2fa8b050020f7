"""The Celery worker: takes signals from their lanes and posts each exactly as often as it should be."""
