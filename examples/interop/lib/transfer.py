#!/usr/bin/env python3
"""One file over one TCP connection: transfer.py receive ADDR PORT FILE | send FROM TO PORT FILE"""
import shutil
import socket
import sys

if sys.argv[1] == "receive":
    family = socket.AF_INET6 if ":" in sys.argv[2] else socket.AF_INET
    with socket.create_server((sys.argv[2], int(sys.argv[3])), family=family) as server:
        print("listening", flush=True)
        server.settimeout(60)
        connection, _ = server.accept()
        connection.settimeout(30)
        with connection, open(sys.argv[4], "wb") as out:
            shutil.copyfileobj(connection.makefile("rb"), out)
else:
    with socket.create_connection((sys.argv[3], int(sys.argv[4])), 20, (sys.argv[2], 0)) as connection:
        with open(sys.argv[5], "rb") as data:
            connection.sendfile(data)
