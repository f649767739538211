"""What bench/winrm.ts measures of its own client, done with pywinrm (Debian's python3-winrm): prints times and peak memory as JSON.

Usage: pywinrm-runs.py URL USER PASSWORD RUNS One line for each kind of run: kind, milliseconds of each run.
After each line it waits for one on stdin.
"""
import base64
import json
import resource
import sys
import time

from winrm.protocol import Protocol

url, user, password, runs = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])


def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


loaded = peak()


def protocol():
    return Protocol(endpoint=url, transport="ntlm", username=user, password=password, message_encryption="always")


def command(client, shell, script, size):
    encoded = base64.b64encode(script.encode("utf-16-le")).decode()
    run = client.run_command(shell, "powershell.exe", ["-NoProfile", "-NonInteractive", "-EncodedCommand", encoded])
    stdout, _, code = client.get_command_output(shell, run)
    client.cleanup_command(shell, run)
    assert code == 0 and len(stdout) == size, (code, len(stdout))


def fresh(script="echo", size=4):
    client = protocol()
    shell = client.open_shell()
    command(client, shell, script, size)
    client.close_shell(shell)


def big():
    fresh("LAB-BIG", 2097152)


def reused_session(client):
    shell = client.open_shell()
    command(client, shell, "echo", 4)
    client.close_shell(shell)


def say(**line):
    print(json.dumps(line), flush=True)
    sys.stdin.readline()        # the bench reads the server's counters now


def timed(kind, work, count=runs):
    say(kind="begin")
    times = []
    for _ in range(count):
        began = time.perf_counter()
        work()
        times.append((time.perf_counter() - began) * 1000)
    say(kind=kind, ms=times)


timed("fresh", fresh)
client = protocol()
reused_session(client)
timed("reused session", lambda: reused_session(client))
shell = client.open_shell()
command(client, shell, "echo", 4)
timed("reused shell", lambda: command(client, shell, "echo", 4))
client.close_shell(shell)
timed("2 MiB", big, max(1, runs // 4))
say(kind="peak", kib=peak(), loaded_kib=loaded)
