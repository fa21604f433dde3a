"""A server and workers as processes of this machine, to be killed and started again."""

import json
import os
import signal
import subprocess
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DIGITS = ROOT / "examples" / "digits" / "digits.csv"


class LocalCluster:
    """Runs in a folder of its own, on a socket in it; a context that ends with all its processes.

    Everything that the programs say goes to PROGRAM.log in the folder.
    """

    def __init__(self, programs, workers, threads=1):
        self.programs, self.threads = Path(programs).resolve(), threads
        self._temporary = tempfile.TemporaryDirectory()
        self.folder = self._temporary.name
        self.address = "unix:" + os.path.join(self.folder, "socket")
        self.workers = {}
        self.start_server()
        self.await_server()
        for i in range(workers):
            self.start_worker(i)

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        for process in [*self.workers.values(), self.server]:
            self.kill(process)
        self._temporary.cleanup()

    def _run(self, program, *arguments, **options):
        with open(os.path.join(self.folder, program + ".log"), "a") as log:
            return subprocess.Popen([str(self.programs / program), *arguments], stderr=log,
                                    stdin=subprocess.DEVNULL, **options)

    def start_server(self):
        """Starts it on the folder's state, and does not wait until it answers."""
        self.server = self._run("lockstep-server", "--listen", self.address, "--state-dir",
                                os.path.join(self.folder, "state"), stdout=subprocess.PIPE,
                                text=True)

    def await_server(self):
        line = self.server.stdout.readline()
        if not line.startswith("listening"):
            raise RuntimeError("the server did not start:\n" + self.log("lockstep-server"))

    def start_worker(self, i):
        self.workers[i] = self._run("lockstep-worker", "--server", self.address, "--threads",
                                    str(self.threads), "--name", f"w{i}")

    def log(self, program):
        with open(os.path.join(self.folder, program + ".log")) as log:
            return log.read()

    def kill(self, process):
        process.send_signal(signal.SIGKILL)
        process.wait()
        if process.stdout:
            process.stdout.close()

    def lockstep(self, *arguments):
        """Runs the client; returns its result without judging it."""
        return subprocess.run([str(self.programs / "lockstep"), *arguments, "--server",
                               self.address, "--format", "json"], capture_output=True, text=True)

    def submit(self, text):
        """Submits a job file with this text; {data} in it stands for the digits."""
        path = os.path.join(self.folder, "job.yaml")
        with open(path, "w") as file:
            file.write(text.replace("{data}", str(DIGITS)))
        run = self.lockstep("submit", path)
        if run.returncode != 0:
            raise RuntimeError("lockstep submit: " + run.stderr.strip())
        return json.loads(run.stdout)["jobId"]

    def step(self, job):
        """How many steps the job has committed; None where the server does not answer.

        Of `list`, since `status` prints all epochs, thousands of which take a core for a while.
        """
        run = self.lockstep("list")
        if run.returncode != 0:
            return None
        jobs = json.loads(run.stdout)["jobs"]
        return int(next(entry["progress"]["step"] for entry in jobs if entry["jobId"] == job))

    def status(self, job):
        """The job's status; None where the server does not answer."""
        run = self.lockstep("status", job)
        return json.loads(run.stdout) if run.returncode == 0 else None
