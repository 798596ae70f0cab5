# A masquerading router in the middle: detection, float to 4500, UDP encapsulation, keepalives.
natted() { # a|b (our side); a is behind the NAT and initiates
  pair "$1"; settings KEEPALIVE=1 "${@:2}"
  topology nat ports=40000-40999; capture a; capture b
  start b; start a
  initiate a; both_up
  ping_through a 3; ping_through b 3
  # The mapping lives: keepalives leave from behind the NAT, and only from there.
  sleep 3.2; ping_through b 2
  capture_end a; capture_end b
  local floated keepalives foreign
  floated=$(tshark -r b.pcap -Y 'udp.dstport == 4500 && isakmp' 2>/dev/null | wc -l)
  keepalives=$(tshark -r a.pcap -Y "ip.src == $(outer a) && udpencap.nat_keepalive" 2>/dev/null | wc -l)
  foreign=$(tshark -r b.pcap -Y "ip.src == $(outer b) && udpencap.nat_keepalive" 2>/dev/null | wc -l)
  [ "$floated" -gt 0 ] || fail "IKE did not float to port 4500"
  [ "$keepalives" -ge 2 ] || fail "$keepalives keepalives in 3 s from behind the NAT, every second expected"
  # strongSwan's userland ESP pretends to be behind a NAT and sends keepalives always.
  [ "${KIND[b]}" = strongswan ] || [ "$foreign" = 0 ] || fail "the side that is not behind the NAT sent $foreign keepalives"
  note "keepalives $keepalives"
}
draft() { # The cable spoils the vendor ID of RFC 3947: both sides fall back to the draft that they have in common.
  pair "$1"; topology wire vid=4a131c81070358455c5728f20e95452f; capture b
  start b; start a; initiate a; both_up
  ping_through a 3; ping_through b 3; capture_end b
  local natd
  natd=$(tshark -r b.pcap -Y 'isakmp.typepayload == 130' 2>/dev/null | wc -l)
  [ "$natd" -ge 2 ] || fail "$natd messages with the draft's NAT-D payload 130"
  note "NAT-D payload 130 in $natd messages"
}
from_start() { # RFC 7296 §2.23: IKE begins on port 4500, NAT or not.
  pair a; settings GWPEER='nat-traversal = "from-start"'; topology "$1"; capture b
  start b; start a; initiate a; both_up
  ping_through a 3; ping_through b 3; capture_end b
  local plain natt
  plain=$(tshark -r b.pcap -Y 'udp.port == 500' 2>/dev/null | wc -l)
  natt=$(tshark -r b.pcap -Y 'udp.dstport == 4500 && isakmp' 2>/dev/null | wc -l)
  [ "$plain" = 0 ] || fail "$plain messages on port 500"
  [ "$natt" -ge 2 ] || fail "$natt messages on port 4500"
}
scenario v2-nat-from-start 60 'IKEv2 begins on port 4500, without a NAT' from_start direct
scenario v2-nat-from-start-behind 60 'IKEv2 begins on port 4500, behind a NAT' from_start nat
scenario v1-nat-draft-init 60 'NAT-T of draft-ietf-ipsec-nat-t-ike-02, we initiate' draft a
scenario v1-nat-draft-resp 60 'NAT-T of draft-ietf-ipsec-nat-t-ike-02, they initiate' draft b
both nat-init 60 'we are behind the NAT and initiate: float, keepalives' natted a
both nat-resp 60 'they are behind the NAT and initiate: float, no keepalives from us' natted b
