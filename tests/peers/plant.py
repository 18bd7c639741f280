"""A battery box, served by pymodbus, for emberwatch's tests.

Unit 1. Holding registers: 0 temperature x0.1 degC, 1 gas %LFL, 2 contactor (0 open, 1 closed).
Coil 0: contactor hold. The contactor follows `travel` seconds after coil 0 was written to 0; `never` is stuck.

stdout, one event a line:  listening PORT · write COIL VALUE · moved · read MILLISECONDS (monotonic)
stdin, one command a line: set REGISTER VALUE
"""

import asyncio
import sys
import time

from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

REGISTERS = [250, 0, 1]
WRITE_COIL, WRITE_COILS, READ_HOLDING = 5, 15, 3


def say(*words):
    print(*words, flush=True)


async def travel(seconds):
    await asyncio.sleep(seconds)
    REGISTERS[2] = 0
    say("moved")


def plant(travel_s, tasks):
    async def action(function_code, start_address, address, count, current_registers, set_values):
        if function_code == READ_HOLDING:
            say("read", int(time.monotonic() * 1000))
            for register in range(address, address + count):
                current_registers[register - start_address] = REGISTERS[register]
        # pymodbus calls once more with None, to read back what it has stored.
        if function_code in (WRITE_COIL, WRITE_COILS) and set_values is not None:
            for coil, value in enumerate(set_values[:count], address):
                say("write", coil, int(value))
                if coil == 0 and not value and travel_s is not None:
                    tasks.append(asyncio.create_task(travel(travel_s)))
        return None

    coils = [SimData(0, values=[True] + [False] * 15, datatype=DataType.BITS)]
    inputs = [SimData(0, values=[False] * 16, datatype=DataType.BITS)]
    words = [SimData(0, values=[0] * 3, datatype=DataType.REGISTERS)]
    return SimDevice(id=1, simdata=(coils, inputs, words, words), action=action)


async def obey():
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        _, register, value = line.split()
        REGISTERS[int(register)] = int(value)


async def main():
    word = sys.argv[1]
    tasks = []
    server = ModbusTcpServer(
        plant(None if word == "never" else float(word), tasks), address=("127.0.0.1", 0)
    )
    await server.listen()
    say("listening", server.transport.sockets[0].getsockname()[1])
    await obey()  # until the test lets go of stdin
    await server.shutdown()


asyncio.run(main())
