# The process itself: rights, files, signals, and a log that nobody reads; ICMP that shows nothing of our packets.
RIGHTS=0000000000003400 # CAP_NET_BIND_SERVICE, CAP_NET_ADMIN, CAP_NET_RAW

# confined NAME: each thread of the program has these rights and no others, and cannot get any
confined() {
  local p status field; p=$(pid_of "$1")
  for status in /proc/"$p"/task/*/status; do
    for field in CapEff CapPrm CapBnd; do grep -qE "^$field:\s+$RIGHTS$" "$status" || fail "$1: $(grep "^$field" "$status") in $status"; done
    for field in CapInh CapAmb; do grep -qE "^$field:\s+0+$" "$status" || fail "$1: $(grep "^$field" "$status")"; done
    grep -qE '^NoNewPrivs:\s+1$' "$status" || fail "$1 may gain privileges"
  done
}
# secret NAME: root without CAP_SYS_PTRACE cannot look into it
secret() { ! setpriv --bounding-set -sys_ptrace --inh-caps -sys_ptrace readlink "/proc/$(pid_of "$1")/exe" >/dev/null 2>&1; }
mode() { stat -c %a "$1"; }
# gateway_refuses 'reason' FILE-OF-OUTPUT CMD…
gateway_refuses() {
  local why=$1 out=$2; shift 2
  ! timeout 5 "$@" >"$out" 2>&1 || fail "not refused: $why"
  grep -q -- "$why" "$out" || fail "not '$why' but: $(tail -1 "$out")"
}

rights() {
  local d run; pair both; topology direct
  start b; start a; d=$DIR/gateway-a
  confined gateway-a; confined gateway-b
  ! secret gateway-a || fail "keys are logged, and yet the process is not dumpable: strange"
  initiate a; both_up; ping_through a 2
  step "SIGHUP"
  kill -HUP "$(pid_of gateway-a)"
  expect 3 "SIGHUP is not told" log_has a 'SIGHUP'
  ping_through b 2; rekey a child; ping_through a 2
  step "files"
  [ "$(mode "$d/control.sock")" = 600 ] || fail "the control socket has mode $(mode "$d/control.sock")"
  [ "$(mode "$d/keys/esp_sa")" = 600 ] || fail "the key file has mode $(mode "$d/keys/esp_sa")"
  sed 's/ipsec0/ipsec1/; s/^name = "a"/name = "a"\nport = 1500\nnatt-port = 1501/' "$d/gateway.toml" >"$d/second.toml"
  run=(ip netns exec "$(nsname a)" "$INTEROP_GATEWAY" run --config "$d/second.toml" --control)
  gateway_refuses 'another process listens there' "$DIR/second.out" "${run[@]}" "$d/control.sock"
  echo "mine" >"$d/a-file"
  gateway_refuses 'no socket' "$DIR/third.out" "${run[@]}" "$d/a-file"
  [ "$(cat "$d/a-file")" = mine ] || fail "a file was replaced by a control socket"
  chmod 644 "$d/gateway.toml"; "$INTEROP_GATEWAY" check --config "$d/gateway.toml" | sees 'everybody on this machine can read it' || fail "check says nothing of a world-readable secret"
  chmod 600 "$d/gateway.toml"; ! "$INTEROP_GATEWAY" check --config "$d/gateway.toml" | sees warning || fail "check warns of a file with mode 600"
  step "once more, without a key log, over a key file that others could read"
  stop a; [ ! -e "$d/control.sock" ] || fail "the control socket is left"
  ! ns a ip route | sees ipsec0 || fail "a route is left"
  spawn gateway-a a "$INTEROP_GATEWAY" run --config "$d/gateway.toml" --log cisco
  expect 5 "the gateway did not start again" test -S "$d/control.sock"
  confined gateway-a; secret gateway-a || fail "the process with the keys is dumpable"
  initiate a; ping_through a 2; stop a
  chmod 666 "$d/keys/esp_sa"; ln -sf /etc/passwd "$d/keys/ikev2_decryption_table"
  gateway_refuses 'ikev2_decryption_table' "$DIR/fourth.out" ip netns exec "$(nsname a)" "$INTEROP_GATEWAY" run --config "$d/gateway.toml" --keylog "$d/keys"
  rm "$d/keys/ikev2_decryption_table"
  spawn gateway-a a "$INTEROP_GATEWAY" run --config "$d/gateway.toml" --log cisco --keylog "$d/keys"
  expect 5 "the gateway did not start once more" test -S "$d/control.sock"
  [ "$(mode "$d/keys/esp_sa")" = 600 ] || fail "keys go into a file with mode $(mode "$d/keys/esp_sa")"
  initiate a; stop a; stop b
}

unread() { # b's log goes into a pipe that is full already, and nobody reads it.
  local d lines; pair both; topology direct
  start b; start a; stop b; d=$DIR/gateway-b; rm -f "$DIR/gateway-b.out"
  mkfifo "$DIR/full"; exec {full}<>"$DIR/full"
  timeout 1 cat /dev/zero >"$DIR/full" || :
  spawn gateway-b b bash -c 'exec "$@" >"$0"' "$DIR/full" "$INTEROP_GATEWAY" run --config "$d/gateway.toml" --log cisco
  expect 5 "the gateway did not start" test -S "$d/control.sock"
  initiate a; both_up; ping_begin a 5
  step "5,000 strays for each of both"
  ns a python3 "$HERE/peers/quoter.py" stray "$(outer b)" 5000
  ns b python3 "$HERE/peers/quoter.py" stray "$(outer a)" 5000
  ping_end
  gw_ask b "sum(c['count'] for c in s['counters'] if c['name'] == 'IKE: malformed') > 4000" || fail "the strays did not reach b"
  expect 3 "the strays are not counted in the log" log_has a 'more from 192.0.2.0/24: IKE: malformed'
  lines=$(gw_log a 'malformed' | wc -l)
  [ "$lines" -le 10 ] || fail "$lines lines about 5,000 strays"
  note "$lines lines about 5,000 strays"
  initiate_again; ping_through b 2
  stop b
  exec {full}>&-
}
initiate_again() { rekey a child; expect 10 "no rekey behind a blocked log" gw_ask b "len(s['children']) >= 1"; }

forged() { # Claims that show nothing of ESP: probed, and believed only from who sees the probes.
  pair both; settings TUNMTU=1500 GWPEER='nat-traversal = "force"'; topology direct; capture b
  start b; start a; initiate a; both_up; ping_through a 2
  step "forged: a wrong port, then the right ones"
  ns b python3 "$HERE/peers/quoter.py" forge 192.0.2.77 "$(outer a)" "$(outer b)" 1 68
  expect 3 "the forged message did not arrive" gw_ask a "any(c['name'] == 'ICMP: too big, but not of ours' for c in s['counters'])"
  path_mtu a 1500 1500
  ns b python3 "$HERE/peers/quoter.py" forge 192.0.2.77 "$(outer a)" "$(outer b)" 4500 68
  expect 3 "the claim was not probed" gw_ask a "any(c['name'] == 'ICMP: too big, claimed without proof and probed' for c in s['counters'])"
  # Four rounds of four probes, a second apart, of which b drops all.
  expect 8 "no probes on the wire" probes_seen 16
  path_mtu a 1500 1500; ping_through a 3; answered a 1420
  step "true: somebody complains about all that is longer than 1400, with the shortest quotes"
  spawn router b python3 -u "$HERE/peers/quoter.py" router 192.0.2.77 "$(outer a)" 1400
  expect 5 "the router does not listen" grep -q listening "$DIR/router.out"
  # The last round was not long ago: packets that are too big go on, as TCP would.
  expect 25 "the true claim was not learnt" learnt
  path_mtu a 1400 1500; ping_through a 2; capture_end b
}
probes_seen() { [ "$(tshark -r "$DIR/b.pcap" -Y "ip.src == $(outer a) && udp.dstport == 4500 && ip.flags.df == 1 && ip.len > 576" 2>/dev/null | wc -l)" -ge "$1" ]; }
learnt() { df_ping a 1400 >/dev/null; log_has a 'adjusting path mtu from 1500 to 1400'; }

programs() { # The VRRP daemon and the GRE tunnel have the same manners.
  local s; topology direct
  for s in a b; do
    printf '[daemon]\nsocket = "%s"\n[[router]]\nname = "lan"\ninterface = "outer"\nvrid = 7\nversion = 2\naddresses = ["192.0.2.100/24"]\npassword = "secret"\nvirtual-mac = false\npriority = %s\n' \
      "$DIR/vrrp-$s.sock" "$([ $s = a ] && echo 150 || echo 100)" >"vrrp-$s.toml"
    spawn "vrrp-$s" $s "$INTEROP_VRRP" run "$DIR/vrrp-$s.toml"
    spawn "gre-$s" $s "$INTEROP_GRE" --local "$(outer $s)" --remote "$(outer "$(other $s)")" --address "10.99.0.$([ $s = a ] && echo 1 || echo 2)/24" --keepalive 1
  done
  for s in a b; do expect 5 "VRRP did not start on $s" test -S "$DIR/vrrp-$s.sock"; done
  expect 10 "no master" vrrp_state a Master
  expect 5 "no GRE tunnel" ns a ping -n -c 1 -W 1 10.99.0.2
  for s in vrrp-a vrrp-b gre-a gre-b; do confined $s; secret $s || fail "$s is dumpable"; kill -HUP "$(pid_of $s)"; done
  [ "$(mode "$DIR/vrrp-a.sock")" = 600 ] || fail "the socket of VRRP has mode $(mode "$DIR/vrrp-a.sock")"
  grep -q 'warning: .*everybody on this machine can read it' "$DIR/vrrp-a.out" || fail "nothing is said of a world-readable password"
  ns a ping -n -q -c 3 -i 0.3 -W 1 10.99.0.2 | sees ' 3 received' || fail "GRE died of SIGHUP"
  expect 3 "SIGHUP is not told" grep -q SIGHUP "$DIR/vrrp-a.out"
  # Addresses are moved with the rights that are left.
  end vrrp-a TERM 5 || fail "VRRP does not end"; expect 5 "b did not take over" vrrp_state b Master
  ns b ip addr show dev outer | sees 192.0.2.100 || fail "the address did not move"
  end gre-a TERM 5 || fail "GRE does not end"; grep -q 'line protocol' "$DIR/gre-a.out" || fail "GRE says nothing at its end"
}
vrrp_state() { ns "$1" "$INTEROP_VRRP" status --socket "$DIR/vrrp-$1.sock" | sees "State is $2"; }

lists() { # VRRPv3, and lists of addresses that differ: logged by both, and one master.
  local s; topology direct
  for s in a b; do
    printf '[daemon]\nsocket = "%s"\n[[router]]\nname = "lan"\ninterface = "outer"\nvrid = 7\ninterval = 0.1\naddresses = ["192.0.2.%s/24"]\nvirtual-mac = false\npriority = %s\n' \
      "$DIR/vrrp-$s.sock" "$([ $s = a ] && echo 100 || echo 101)" "$([ $s = a ] && echo 150 || echo 100)" >"vrrp-$s.toml"
    spawn "vrrp-$s" $s "$INTEROP_VRRP" run "$DIR/vrrp-$s.toml"
  done
  expect 5 "a is not master" vrrp_state a Master
  expect 5 "two masters: the list that differs was dropped" vrrp_state b Backup
  expect 5 "b does not log the list" grep -q AddressesDiffer "$DIR/vrrp-b.out"
  end vrrp-a TERM 5 || fail "VRRP does not end"; expect 5 "b did not take over" vrrp_state b Master
}

scenario vrrp-trust-programs 60 'VRRP and GRE: three capabilities, no dump, SIGHUP survived' programs
scenario vrrp-trust-lists 40 'VRRPv3 with address lists that differ: logged, and one master remains' lists
if [ "${INTEROP_OURS:-gateway}" = gateway ]; then
  scenario v2-trust-rights 90 'three capabilities, no dump, sockets and key files of its own, SIGHUP survived' rights
  scenario v2-trust-unread-log 60 'a log that nobody reads, and 5,000 strays: no ping is lost, a few lines are said' unread
  scenario v2-trust-forged-icmp 90 'too-big messages without SPI are probed; a forger gets nothing, a router is believed' forged
fi
