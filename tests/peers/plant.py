"""A battery box, served by pymodbus, for emberwatch's tests.

Unit 1. Holding registers: 0 temperature x0.1 degC, 1 gas %LFL, 2 contactor (0 open, 1 closed).
Coil 0: contactor hold. The contactor follows `travel` seconds after coil 0 was written to 0; `never` is stuck.

stdout, one event a line:  listening PORT · write COIL VALUE · moved · set REGISTER VALUE (done) · read MILLISECONDS (monotonic)
stdin, one command a line: set REGISTER VALUE
"""

import asyncio
import sys
import time

from pymodbus.datastore import ModbusSequentialDataBlock, ModbusServerContext, ModbusSlaveContext
from pymodbus.server import ModbusTcpServer

FIRST = 1  # pymodbus counts the entries of a block from one


def say(*words):
    print(*words, flush=True)


class Registers(ModbusSequentialDataBlock):
    """Says when it is read."""

    def getValues(self, address, count=1):
        say("read", int(time.monotonic() * 1000))
        return super().getValues(address, count)


class Coils(ModbusSequentialDataBlock):
    """Says what is written, and moves the contactor."""

    def __init__(self, registers, travel_s):
        super().__init__(FIRST, [True] + [False] * 15)
        self.registers, self.travel_s, self.tasks = registers, travel_s, []

    def setValues(self, address, values):
        super().setValues(address, values)
        for coil, value in enumerate(values, address - FIRST):
            say("write", coil, int(value))
            if coil == 0 and not value and self.travel_s is not None:
                self.tasks.append(asyncio.create_task(self.travel()))

    async def travel(self):
        await asyncio.sleep(self.travel_s)
        self.registers.setValues(FIRST + 2, [0])
        say("moved")


async def obey(registers):
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        _, register, value = line.decode().split()
        registers.setValues(FIRST + int(register), [int(value)])
        say("set", register, value)


async def main():
    travel = sys.argv[1]
    registers = Registers(FIRST, [250, 0, 1])
    coils = Coils(registers, None if travel == "never" else float(travel))
    box = ModbusSlaveContext(co=coils, hr=registers)
    server = ModbusTcpServer(ModbusServerContext({1: box}, single=False), address=("127.0.0.1", 0))
    await server.listen()
    say("listening", server.transport.sockets[0].getsockname()[1])
    await obey(registers)  # until the test lets go of stdin
    await server.shutdown()


asyncio.run(main())
