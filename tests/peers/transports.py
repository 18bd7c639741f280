"""One unit behind every kind of transport, served by pymodbus, for emberwatch's tests.

    transports.py tcp|rtu-over-tcp            prints: listening PORT
    transports.py tls CERT KEY CA             the same; wants a client certificate of that authority
    transports.py serial PORT BAUD            prints: listening PORT

Unit 7: holding register n holds 1000 + n, for n from 0 to 99; coil 3 can be written.
stdout, one event a line: listening … · read FUNCTION · write COIL VALUE
"""

import asyncio
import ssl
import sys

from pymodbus import FramerType
from pymodbus.datastore import ModbusSequentialDataBlock, ModbusServerContext, ModbusSlaveContext
from pymodbus.server import ModbusSerialServer, ModbusTcpServer, ModbusTlsServer

FIRST = 1  # pymodbus counts the entries of a block from one
UNIT = 7


def say(*words):
    print(*words, flush=True)


class Registers(ModbusSequentialDataBlock):
    def getValues(self, address, count=1):
        say("read", 3)
        return super().getValues(address, count)


class Coils(ModbusSequentialDataBlock):
    def setValues(self, address, values):
        super().setValues(address, values)
        say("write", address - FIRST, int(values[0]))


async def main(mode, *more):
    unit = ModbusSlaveContext(hr=Registers(FIRST, list(range(1000, 1100))), co=Coils(FIRST, [False] * 16))
    context = ModbusServerContext(slaves={UNIT: unit}, single=False)
    address = ("127.0.0.1", 0)
    if mode == "serial":
        server = ModbusSerialServer(context, framer=FramerType.RTU, port=more[0], baudrate=int(more[1]))
        await server.listen()
        say("listening", more[0])
    else:
        if mode == "tls":
            certificate, key, ca = more
            wants = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            wants.load_cert_chain(certificate, key)
            wants.load_verify_locations(ca)
            wants.verify_mode = ssl.CERT_REQUIRED
            server = ModbusTlsServer(context, sslctx=wants, address=address)
        else:
            framer = FramerType.RTU if mode == "rtu-over-tcp" else FramerType.SOCKET
            server = ModbusTcpServer(context, framer=framer, address=address)
        await server.listen()
        say("listening", server.transport.sockets[0].getsockname()[1])
    await asyncio.Event().wait()


asyncio.run(main(*sys.argv[1:]))
