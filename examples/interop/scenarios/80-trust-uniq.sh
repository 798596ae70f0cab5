# Several devices with one identity, a peer that has forgotten everything, a deletion right after a rekey.
QUICK_DPD='dpd = { interval = 1, retry = 1, retries = 3, mode = "periodic" }'
forgotten() { # The peer loses its state and calls anew without INITIAL-CONTACT; our side sends first.
  pair b; settings UNIQUE=never; topology direct; capture b
  start b GWPEER="$QUICK_DPD"; start a; initiate a; both_up; ping_through a 2
  kill_peer a; start a; initiate a
  expect 2 "our packets still go to the forgotten child" crosses_from b
  expect 15 "the forgotten IKE SA is still there" gw_ask b 'len(s["ike"]) == 1'
  is_up a || fail "the peer's new tunnel went along with the forgotten one"
  ping_through b 3; ping_through a 3; capture_end b
  gw_ask b 'sum(c["active"] for c in s["children"]) == 1' || fail "more than one pair sends"
  local asked; asked=$(grep -cE 'Sending DPD|DPD/R_U_THERE|liveness' "$DIR/gateway-b.out" || :)
  note "questions in the log: $asked"
}
crosses_from() { ns "$1" ping -n -q -c 1 -W 0.5 -I "$(inner "$1")" "$(inner "$(other "$1")")"; }
both trust-forgotten 90 'the peer restarts without INITIAL-CONTACT: our traffic follows, the old IKE SA ends alone' forgotten

# A strongSwan on side a with two addresses is two devices that prove one identity.
two_devices() { # POLICY
  pair b; topology direct; ip -n "$(nsname a)" addr add 192.0.2.3/24 dev outer; capture b
  start b PEERS='"192.0.2.0/24"' EXTRA=$'start = "passive"\nselectors = "within"' REMOTE=10.10.0.0/16 \
    GWPEER="remote-id = \"u.lab\""$'\n'"unique = \"$1\""$'\n'"$QUICK_DPD"
  start a UNIQUE=never SWANLOCAL=$'auth = psk\nid = u.lab' SWANTOP="$(second_device)"
}
second_device() {
  local ike=aes128-sha1-modp1024 esp=aes128-sha1
  [[ $SCENARIO != v2* ]] || ike=aes128-sha256-x25519 esp=aes128-sha256
  cat <<CONF
connections { two {
  version = ${SCENARIO:1:1}
  local_addrs = 192.0.2.3
  remote_addrs = 192.0.2.2
  proposals = $ike
  unique = never
  keyingtries = 1
  local { auth = psk
    id = u.lab }
  remote { auth = psk
    id = %any }
  children { net2 { local_ts = $NET2_a
      remote_ts = $NET_b
      esp_proposals = $esp } } } }
CONF
}
call_second() { step "the second device calls"; swan a --initiate --child net2 --timeout 10 >"$DIR/second.out" 2>&1; }
has_net() { swan_sas a | sees -E "^ *$1: .*INSTALLED"; }
has_no_child() { ! has_net "$1"; }
same_id() { # Both work, and go on working.
  two_devices "$1"; initiate a; ping_through a 2
  call_second || fail "the second device was refused: $(tail -1 "$DIR/second.out")"
  ping_second b 3; ping_through b 3; ping_second a 3; ping_through a 3
  step "longer than dead peer detection and a question to each device take"; sleep 6
  ping_second b 3; ping_through b 3
  gw_ask b 'len([i for i in s["ike"] if i["active"]]) == 2' || fail "not both IKE SAs are there"
}
both trust-devices-no 60 'unique = "no": two devices with one identity work side by side' same_id no
both trust-devices-never 60 'unique = "never": the same' same_id never
replaced() { # The first one is told.
  two_devices replace; initiate a; ping_through a 2
  call_second || fail "the second device was refused: $(tail -1 "$DIR/second.out")"
  expect 3 "the first device was not told of its end" has_no_child net
  ping_second b 3; ping_second a 3
  initiate a
  expect 3 "the second device was not told of its end" has_no_child net2
  ping_through b 3; ping_through a 3
}
both trust-devices-replace 60 'unique = "replace": the newest device ends the older one, which is told' replaced
kept() { # The second one is refused while the first one lives.
  two_devices keep; initiate a; ping_through a 2
  call_second || :
  expect 3 "the second device has a tunnel" has_no_child net2
  log_has b 'the first one is kept' || fail "our log does not say why"
  ping_through b 3; ping_through a 3
  step "the first device vanishes"; ns a iptables -A OUTPUT -s 192.0.2.1 -j DROP
  second_gets_in() { call_second && has_net net2; }
  expect 30 "the second device is refused although the first one is dead" second_gets_in
  ping_second b 3
}
both trust-devices-keep 90 'unique = "keep": the first device is kept while it lives, then the second one gets in' kept

deleted_after_rekey() { # Nothing of the replaced pair is left; a new tunnel starts at once and loses nothing.
  pair "$1"; topology direct; capture b
  start b; start a; initiate a; both_up; ping_through a 2
  rekey "$2" child || fail "no rekey: $(tail -1 "$DIR/rekey-$2.out")"
  ping_through a 2
  delete "$OURS" child
  gw_ask "$OURS" 'not any(t["up"] for t in s["tunnels"]) and not any(c["active"] for c in s["children"])' ||
    fail "the tunnel counts as up after its deletion"
  initiate "$OURS"
  ! grep -q 'up already' "$DIR/initiate-$OURS.out" || fail "initiate takes the deleted tunnel for one that is up"
  both_up; ping_begin "$OURS" 30; ping_end; ping_through b 2
}
both trust-delete-init 90 'rekey, delete, initiate: all of it ours' deleted_after_rekey a a
both trust-delete-resp 90 'they rekey, we delete and initiate' deleted_after_rekey b a
