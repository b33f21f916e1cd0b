"""The guard that keeps tests off the network, itself tested; the addresses belong to nobody (RFC 5737)."""

import os
import socket
import subprocess
import sys
import threading

import pytest

from tests import notebook_helpers

CONNECT = "import socket\nsocket.create_connection(('192.0.2.1', 443), timeout=5)"


def test_this_process_cannot_connect():
    with pytest.raises(OSError, match="Tests run without the network.*192.0.2.1"):
        exec(CONNECT)


def test_names_of_others_are_not_looked_up():
    with pytest.raises(OSError, match="Tests run without the network.*huggingface.co"):
        socket.getaddrinfo("huggingface.co", 443)


@pytest.mark.parametrize("send", ["connect", "connect_ex"])
def test_datagrams_are_guarded_too(send):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams:
        with pytest.raises(OSError, match="Tests run without"):
            getattr(datagrams, send)(("192.0.2.1", 53))
        with pytest.raises(OSError, match="Tests run without"):
            datagrams.sendto(b"x", ("192.0.2.1", 53))


def test_this_computer_can_be_reached():
    with socket.create_server(("127.0.0.1", 0)) as server:
        answer = threading.Thread(target=lambda: server.accept()[0].sendall(b"hello"))
        answer.start()
        with socket.create_connection(server.getsockname(), timeout=5) as connection:
            assert connection.recv(5) == b"hello"
        answer.join()


def test_a_notebook_kernel_cannot_connect(tmp_path):
    code, said = notebook_helpers.nbval(notebook_helpers.write(tmp_path / "net.ipynb", CONNECT))
    assert code == 1
    assert "OfflineError: Tests run without the network" in said


def test_a_sitecustomize_that_is_hidden_is_loaded_as_well(tmp_path):
    (tmp_path / "sitecustomize.py").write_text("print('the hidden one')")
    path = os.pathsep.join([os.environ["PYTHONPATH"], str(tmp_path)])
    result = subprocess.run([sys.executable, "-c", "import socket; print(socket.course_is_offline)"],
                            env=os.environ | {"PYTHONPATH": path}, capture_output=True, text=True)
    assert result.stdout.split("\n")[:2] == ["the hidden one", "True"], result.stderr
