"""Other libraries, each with the few lines of code that its users would write.

This code hands the work over, returns a status URL, and serves it. huey, RQ and Celery hand the
work to a Redis. It stays there, because their workers would run somewhere else. So their figures
contain only the web server's share of the cost. The others do the work in threads of the web
server, and their figures contain all of it.
"""

import os
import pickle
import time
import uuid

from flask import Response, current_app

from tests.bench.own import DONE, Plain, imported, make_app, view, work


class FlaskExecutor(Plain):
    def __init__(self, task=work, as_result=lambda value: value):
        from flask_executor import Executor

        def submit():
            task_id = uuid.uuid4().hex
            self.executor.submit_stored(task_id, task)
            return task_id

        def result(task_id):
            done = futures.done(task_id)  # None if there is no such task
            if not done:
                return None if done is None else ("running", 202)
            return as_result(futures.result(task_id))

        self.app = make_app(submit, result)
        self.app.config["EXECUTOR_FUTURES_MAX_LENGTH"] = 10**9  # by default, it keeps only 50
        self.executor = Executor(self.app)
        futures = self.executor.futures
        self.finished = self.app.test_client().get("/x").headers["Location"]

    def remember(self, count):
        from concurrent.futures import Future

        from flask_executor.futures import FutureProxy

        result = pickle.dumps(self.executor.futures.result(self.finished.rpartition("/")[2]))
        for _ in range(count):
            future = Future()
            future.set_result(pickle.loads(result))
            self.executor.futures.add(uuid.uuid4().hex, FutureProxy(future, self.executor))


class FlaskExecutorWithResponse(FlaskExecutor):
    """Its tasks make the whole response, as our solutions do: a poll only has to send it."""

    def __init__(self):
        def respond():
            response = current_app.api.output(work)()
            return response.get_data(), response.status, list(response.headers)

        super().__init__(respond, lambda record: Response(*record))


COPY = """ -- gives `count` new tasks what Redis keeps of a finished one
local old, fresh, count = ARGV[1], ARGV[2], ARGV[3]
for number = 1, count do
    local id = fresh .. string.format('%07d', number)
    for _, key in ipairs(KEYS) do
        local from, to = string.find(key, old, 1, true)
        if from then
            redis.call('COPY', key, string.sub(key, 1, from - 1) .. id .. string.sub(key, to + 1))
        elseif redis.call('TYPE', key).ok == 'hash' then
            redis.call('HSET', key, id, redis.call('HGET', key, old))
        else
            redis.call('ZADD', key, redis.call('ZSCORE', key, old), id)
        end
    end
end"""


class OnRedis(Plain):
    """redis: the path of the Redis's socket."""

    def __init__(self, redis):
        from redis import Redis

        self.redis = Redis(unix_socket_path=redis)
        self.connect(redis)
        self.app = make_app(self.submit, self.result)

    def used(self):
        return self.redis.info("memory")["used_memory"]

    def remember(self, count):
        old = self.finished.rpartition("/")[2]
        keys = [key for name in (old, "huey.results.", "rq:finished:") for key in self.keys(name)]
        copy = self.redis.register_script(COPY)
        for number in range(0, count, 10_000):
            fresh = str(uuid.uuid4())[: len(old) - 7]
            copy(keys, [old, fresh, min(10_000, count - number)])

    def keys(self, name):
        return self.redis.keys(f"*{name}*")


class Huey(OnRedis):
    def connect(self, path):
        from huey import RedisHuey

        self.huey = RedisHuey(url=f"unix://{path}")
        self.task = self.huey.task()(work)
        result = self.task()
        self.huey.execute(self.huey.dequeue())
        self.finished = f"/status/{result.id}"

    def submit(self):
        return self.task().id

    def result(self, task_id):
        return self.huey.result(task_id, preserve=True)


class RQ(OnRedis):
    def connect(self, path):
        from rq import Queue, SimpleWorker

        self.queue = Queue(connection=self.redis)
        job = self.queue.enqueue(work, result_ttl=3600)
        SimpleWorker([self.queue], connection=self.redis).work(burst=True, logging_level="ERROR")
        self.finished = f"/status/{job.id}"

    def submit(self):
        return self.queue.enqueue(work).id

    def result(self, task_id):
        from rq.job import Job

        job = Job.fetch(task_id, connection=self.redis)
        return job.return_value() if job.is_finished else ("running", 202)


class Celery(OnRedis):
    def connect(self, path):
        from celery import Celery

        url = f"redis+socket://{path}"
        self.celery = Celery("bench", broker=url, backend=url, set_as_current=False)
        self.task = self.celery.task(work, name="work")
        task_id = str(uuid.uuid4())
        self.celery.backend.mark_as_done(task_id, DONE)  # as its worker does
        self.finished = f"/status/{task_id}"

    def submit(self):
        return self.task.delay().id

    def result(self, task_id):
        result = self.celery.AsyncResult(task_id)
        return result.result if result.ready() else ("running", 202)


class SolutionOnCelery(Celery):
    """The solution of step 7. A worker runs one task, and its record is copied."""

    def __init__(self, file, redis):
        os.environ["REDIS_URL"] = f"redis+socket://{redis}"
        self.module = imported(file)
        self.module.CatchAll.get = self.module.async_api(view)
        super().__init__(redis)
        self.app = self.module.app

    def connect(self, path):
        from celery.contrib.testing.worker import start_worker

        self.module.app.config["WORK_SECONDS"] = 0
        self.module.celery.conf.result_expires = 3600  # more than a run takes
        client = self.module.app.test_client()
        self.finished = client.get("/x").headers["Location"]
        with start_worker(self.module.celery, perform_ping_check=False):
            while client.get(self.finished).status_code == 202:
                time.sleep(0.01)
