"""Asks a simulated room, by pymodbus, for one of everything. Prints one line for each answer.

Arguments: PORT
"""

import sys

from pymodbus.client import ModbusTcpClient


def say(name, answer, kind):
    if answer.isError():
        print(name, "exception", answer.exception_code)
    else:
        print(name, *(int(item) for item in getattr(answer, kind)))


client = ModbusTcpClient("127.0.0.1", port=int(sys.argv[1]), timeout=5)
assert client.connect()
say("holding", client.read_holding_registers(0, count=15, slave=1), "registers")
say("input", client.read_input_registers(0, count=6, slave=20), "registers")
say("discrete", client.read_discrete_inputs(0, count=8, slave=40), "bits")
say("coils-before", client.read_coils(0, count=8, slave=40), "bits")
say("outside", client.read_holding_registers(15, count=1, slave=1), "registers")
say("nobody", client.read_holding_registers(0, count=1, slave=99), "registers")
written = client.write_coil(6, True, slave=40)
print("written", int(not written.isError()))
say("coils-after", client.read_coils(0, count=8, slave=40), "bits")
say("write-outside", client.write_coil(8, True, slave=40), "bits")
client.close()
