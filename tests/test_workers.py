"""Workers: a stop reaches the calls that the pool had already handed to a worker."""

import os
import signal
import subprocess
import sys
import textwrap
import time


def test_after_sigterm_no_further_call_is_begun_and_the_processes_end(tmp_path):
    program = tmp_path / "program.py"
    program.write_text(
        textwrap.dedent(
            """
            import signal, sys, time
            from pathlib import Path
            from labelkit.workers import run_all

            def task(folder, number):
                stopped = []
                signal.signal(signal.SIGTERM, lambda *_: stopped.append(1))
                Path(folder, f"begun-{number}").touch()
                while not stopped:  # a training ends its step, writes a checkpoint and leaves
                    time.sleep(0.01)
                sys.exit(143)

            if __name__ == "__main__":
                list(run_all(task, [(sys.argv[1], number) for number in range(6)], jobs=2))
            """
        )
    )
    job = subprocess.Popen([sys.executable, str(program), str(tmp_path)], start_new_session=True)
    try:
        deadline = time.time() + 60
        while len(list(tmp_path.glob("begun-*"))) < 2:
            assert time.time() < deadline and job.poll() is None
            time.sleep(0.02)
        time.sleep(0.3)
        job.terminate()
        assert job.wait(timeout=60) == 143
        time.sleep(0.2)
        assert len(list(tmp_path.glob("begun-*"))) == 2, "a worker began another call after the stop"
    finally:
        if job.poll() is None:
            os.killpg(job.pid, signal.SIGKILL)
