"""The local AWS: moto's server on a free port of the loopback interface.

Prints that port and serves until its standard input is closed, which the end of whoever started it does as well.
"""

import itertools
import sys

from moto.ec2.models import elastic_network_interfaces, network_acls, security_groups, vpcs
from moto.server import ThreadedMotoServer

# moto draws ids at random. Groups, interfaces, ACLs and VPCs that get theirs in ascending order make what is told of several of them the
# same each time.
numbers = itertools.count(1)
security_groups.random_security_group_id = lambda: f"sg-{next(numbers):017x}"
elastic_network_interfaces.random_eni_id = lambda: f"eni-{next(numbers):017x}"
network_acls.random_network_acl_id = lambda: f"acl-{next(numbers):017x}"
vpcs.random_vpc_id = lambda: f"vpc-{next(numbers):017x}"

server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
print(server.get_host_and_port()[1], flush=True)
sys.stdin.read()
# The server's threads are daemons: leaving is enough.
sys.exit(0)
