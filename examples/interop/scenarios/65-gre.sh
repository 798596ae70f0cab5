# GRE with peers that are not ours: Open vSwitch's userspace datapath, and a forwarder of a few lines for the keepalives.
#
#   a: the peer, 192.0.2.1 and 10.255.1.1 in the tunnel ── b: our program `gre`, 192.0.2.2 and 10.255.1.2
#
# INTEROP_GRE=FILE is our program.
gre_ours() { # OPTIONS…
  spawn gre-b b "$INTEROP_GRE" --local 192.0.2.2 --remote 192.0.2.1 --address 10.255.1.2/24 "$@"
  expect 5 "no tunnel device" ip -n "$(nsname b)" link show gre1
}
gre_ping() { ns "$1" ping -n -c "${3:-5}" -i 0.2 -W 1 "$2" | grep " 0% packet loss" >/dev/null; }

# ovs NS LOCAL REMOTE ROUTE OPTIONS…: Open vSwitch in a namespace, on its interface `outer`, 10.255.1.1 in the tunnel
ovs() {
  local where=$1 local=$2 remote=$3 route=$4 options=; shift 4
  for option in "$@"; do options+=" options:$option"; done
  ip -n "$(nsname "$where")" addr flush dev outer
  # Open vSwitch keeps its files in a /run and a directory of its own; it ends with the namespace.
  cat >ovs.sh <<IN
set -e
mount -t tmpfs tmpfs /run; mkdir -p /run/openvswitch; export OVS_RUNDIR=/run/openvswitch OVS_LOGDIR=$DIR OVS_DBDIR=/run
ovsdb-tool create /run/conf.db /usr/share/openvswitch/vswitch.ovsschema
ovsdb-server /run/conf.db --remote=punix:/run/openvswitch/db.sock -vconsole:warn --pidfile=/run/ovsdb.pid &
until ovs-vsctl --no-wait init 2>/dev/null; do sleep 0.1; done
ovs-vswitchd unix:/run/openvswitch/db.sock -vconsole:warn --pidfile=/run/vs.pid &
ovs-vsctl add-br br-phy -- set bridge br-phy datapath_type=netdev -- add-port br-phy outer
ip addr add $local/24 dev br-phy; ip link set br-phy up; $route
ovs-vsctl add-br br-int -- set bridge br-int datapath_type=netdev -- add-port br-int gre0 -- set interface gre0 type=gre \
  options:remote_ip=$remote options:local_ip=$local options:packet_type=legacy_l3$options
ip link set br-int up mtu 1350 arp off; ip addr add 10.255.1.1/24 dev br-int
ovs-ofctl del-flows br-int; ovs-ofctl add-flow br-int in_port=LOCAL,actions=output:gre0
ovs-ofctl add-flow br-int "in_port=gre0,actions=mod_dl_dst:\$(cat /sys/class/net/br-int/address),LOCAL"
# It sends once it knows the way and the neighbour.
until ping -n -c 1 -W 1 ${OVS_NEIGHBOUR:-$remote} >/dev/null; do :; done
echo ready; wait
IN
  rm -f ovs.out; spawn ovs "$where" bash ovs.sh
}
ovs_ready() { expect 20 "Open vSwitch did not start: $(tail -1 ovs.out 2>/dev/null)" grep -q ready ovs.out; }
open_vswitch() { # OVS OPTIONS… -- OUR OPTIONS…
  local options=(); while [ "$1" != -- ]; do options+=("$1"); shift; done; shift
  topology direct
  capture b proto 47
  ovs a 192.0.2.1 192.0.2.2 : "${options[@]}"; gre_ours "$@"
  ovs_ready
  expect 10 "no answer through the tunnel" gre_ping a 10.255.1.2 1
  gre_ping a 10.255.1.2 10 || fail "pings from Open vSwitch are lost"
  gre_ping b 10.255.1.1 10 || fail "pings to Open vSwitch are lost"
  end gre-b TERM 3 || fail "our program did not stop"
  grep -q "line protocol is up" gre-b.out || fail "no summary: $(cat gre-b.out)"
  capture_end b
  note "$(tshark -r b.pcap -T fields -e ip.src -e gre.flags_and_version 2>/dev/null | sort | uniq -c | awk '{printf "%s %s x%s; ", $2, $3, $1}')"
}
scenario gre-ovs-plain 60 'Open vSwitch, four-octet header' open_vswitch --
scenario gre-ovs-key 60 'Open vSwitch, key' open_vswitch key=42 -- --key 42
scenario gre-ovs-key-checksum 60 'Open vSwitch, key and checksum' open_vswitch key=42 csum=true -- --key 42 --checksum
# Not together with checksums: Open vSwitch 3.1 numbers a packet after it has summed it up.
scenario gre-ovs-sequence 60 'Open vSwitch, key and sequence numbers' open_vswitch key=42 seq=true -- --key 42 --sequence

wrong_key() {
  open_vswitch key=42 -- --key 42
  spawn gre2 b "$INTEROP_GRE" --local 192.0.2.2 --remote 192.0.2.1 --address 10.255.1.2/24 --key 43
  sleep 1; gre_ping a 10.255.1.2 2 && fail "a wrong key was taken"
  end gre2 TERM 3; grep -q "dropped: wrong key" gre2.out || fail "not counted: $(cat gre2.out)"
}
scenario gre-ovs-wrong-key 60 'a packet of another key is counted and dropped' wrong_key

# What any router does with a keepalive: takes the delivery header off and forwards what was in it.
forwarder() {
  cat >forwarder.py <<'PY'
import socket
raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, 47)
out = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
print('ready', flush=True)
while True:
    packet = raw.recv(4096)
    gre = packet[(packet[0] & 15) * 4:]
    if gre[2:4] == b'\x08\x00' and gre[0] & 0xc0 == 0:
        inner = bytearray(gre[4 + 4 * (gre[0] >> 5 & 1) + 4 * (gre[0] >> 4 & 1):])
        inner[8] -= 1
        inner[10:12] = b'\0\0'
        out.sendto(bytes(inner), (socket.inet_ntoa(inner[16:20]), 0))
PY
  spawn forwarder a python3 -u forwarder.py
}
keepalives() { # the peer lives, dies and lives again
  topology direct; capture b proto 47
  forwarder; expect 5 "the forwarder did not start" grep -q ready forwarder.out
  gre_ours --keepalive 0.5 --retries 3 "$@"
  sleep 3; ! grep -q "is down" gre-b.out || fail "down with a peer that answers"
  end forwarder KILL 1 || :
  expect 4 "the line protocol did not go down" grep -q "line protocol is down" gre-b.out
  ! ns b ping -n -c 1 -W 1 10.255.1.1 >/dev/null || fail "data passed while down"
  rm -f forwarder.out; forwarder
  expect 3 "the line protocol did not come up again" grep -q "line protocol is up" gre-b.out
  end gre-b TERM 3; capture_end b
  local sizes; sizes=$(tshark -r b.pcap -T fields -e frame.len -Y 'ip.src == 192.0.2.2' 2>/dev/null | sort -u | tr '\n' ' ')
  note "octets on the wire: $sizes"
  grep -q "returned [1-9]" gre-b.out || fail "no keepalive came back"
}
scenario gre-keepalive 60 'keepalives through a forwarder: up, down when it dies, up again' keepalives
scenario gre-keepalive-key 60 'the same with a key' keepalives --key 7

both_ours() { # both ends with keepalives, one link cut
  topology direct
  spawn gre-a a "$INTEROP_GRE" --local 192.0.2.1 --remote 192.0.2.2 --address 10.255.1.1/24 --key 9 --checksum --sequence --keepalive 0.5
  gre_ours --key 9 --checksum --sequence --keepalive 0.5
  expect 5 "no answer through the tunnel" gre_ping b 10.255.1.1 1
  gre_ping a 10.255.1.2 10 || fail "pings are lost"
  cut_link a; expect 5 "b did not go down" grep -q "line protocol is down" gre-b.out
  ip -n "$(nsname a)" link set outer up
  expect 5 "b did not come up" grep -q "line protocol is up" gre-b.out
  expect 5 "no answer after the cut" gre_ping a 10.255.1.2 1
}
scenario gre-ours-ours 60 'two of our programs with key, checksum, sequence and keepalives, a link cut' both_ours
