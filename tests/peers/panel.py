"""A panel of two units that say what they are, played by pymodbus.

Arguments: PORT
"""

import sys

from pymodbus.datastore import ModbusSequentialDataBlock, ModbusServerContext, ModbusSlaveContext
from pymodbus.device import ModbusDeviceIdentification
from pymodbus.server import StartTcpServer


def unit(words):
    holding = ModbusSequentialDataBlock(1, words)
    return ModbusSlaveContext(hr=holding)


identity = ModbusDeviceIdentification(
    info_name={"VendorName": "Panel Works", "ProductCode": "PW-2", "MajorMinorRevision": "1.4"}
)
context = ModbusServerContext(slaves={3: unit([11, 12, 13]), 4: unit([21, 22, 23])}, single=False)
StartTcpServer(context=context, identity=identity, address=("127.0.0.1", int(sys.argv[1])), ignore_missing_slaves=True)
