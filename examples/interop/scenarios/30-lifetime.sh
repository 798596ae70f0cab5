# The long life of a tunnel: rekeys under traffic, dead peers, deletes.
rekeyed() { # a|b (our side), which side holds the short timers: ours|peer|both
  pair "$1"; local who=$2; shift 2
  local timers=(IKELIFE=7 CHILDLIFE=3) mine=() theirs=()
  [ "$who" = peer ] || mine=("${timers[@]}"); [ "$who" = ours ] || theirs=("${timers[@]}")
  settings "$@"
  topology direct; capture b
  start "$PEER" "${theirs[@]}"; start "$OURS" "${mine[@]}"
  initiate a; both_up; ping_through a 2
  ping_begin "$OURS" 14; ping_end
  local children ikes; children=$(children_made "$PEER"); ikes=$(ikes_made "$PEER")
  note "child SAs $children, IKE SAs $ikes"
  [ "$children" -ge 4 ] || fail "only $children child SAs in 14 s with a lifetime of 3 s"
  [ "$ikes" -ge 2 ] || fail "only $ikes IKE SAs in 14 s with a lifetime of 7 s"
  both_up 3; ping_through b 2
}
both init-rekey-ours 60 'both phases rekeyed by our timers under ping, nothing lost, we initiated' rekeyed a ours
both init-rekey-theirs 60 'both phases rekeyed by their timers under ping, nothing lost, we initiated' rekeyed a peer
both resp-rekey-ours 60 'both phases rekeyed by our timers under ping, nothing lost, they initiated' rekeyed b ours
both resp-rekey-theirs 60 'both phases rekeyed by their timers under ping, nothing lost, they initiated' rekeyed b peer
both rekey-pfs 60 'rekeys with PFS under ping, nothing lost' rekeyed a ours PFS=2

collided() { # both sides rekey at the same moment, again and again, under ping
  pair a; topology direct; capture b
  start b; start a
  initiate a; both_up
  ping_begin a 10
  local n first second
  for n in 1 2 3 4; do
    sleep 1.5
    rekey a child & first=$!; rekey b child & second=$!
    wait $first || :; wait $second || :
  done
  ping_end; both_up 3; ping_through b 2
  note "child SAs $(children_made b)"
  [ "$(children_made b)" -ge 5 ] || fail "the rekeys did not happen"
}
both rekey-collision 60 'both sides rekey phase 2 at the same moment, four times, nothing lost' collided

peer_killed() { # the peer vanishes without a word; we notice and come back
  pair "$1"; settings "${@:2}"
  topology direct; capture b
  start "$OURS" DPD=1; start "$PEER"
  initiate a; both_up; ping_through a 2
  kill_peer "$PEER"
  # Traffic without an answer is what worry-based DPD asks about.
  ns "$OURS" ping -n -q -c 3 -i 0.5 -W 1 -I "$(inner "$OURS")" "$(inner "$PEER")" >/dev/null || :
  expect 20 "the dead peer was not noticed" is_gone "$OURS"
  log_has "$OURS" 'DPD|dead|[Gg]iving up|timed out' || fail "no word about the dead peer in our log"
  start "$PEER"
  if [ "${KIND[$OURS]}" = gateway ] && [ "$OURS" = a ]; then ping_some a 10; else initiate a; fi
  both_up; ping_through a 3; ping_through b 3
}
both init-dpd 90 'peer killed: DPD notices, traffic brings the tunnel back, we initiate' peer_killed a
both resp-dpd 90 'peer killed: DPD notices, the tunnel comes back, they initiate' peer_killed b

peer_restarted() { # the peer loses its state and connects anew: INITIAL-CONTACT replaces the old SAs
  pair b; topology direct; capture b
  start b; start a
  initiate a; both_up; ping_through a 2
  kill_peer a; start a; initiate a; both_up; ping_through a 3; ping_through b 3
}
both resp-restart 60 'peer restarts and connects anew: the old SAs give way' peer_restarted

deleted() { # OUR-SIDE WHO(ours|peer) WHAT(ike|child)
  pair "$1"; topology direct; capture b
  start b; start a
  initiate a; both_up; ping_through a 2
  local by=$OURS at=$PEER; [ "$2" = ours ] || { by=$PEER; at=$OURS; }
  delete "$by" "$3"
  if [ "$3" = ike ]; then
    expect 5 "the deleting side still has SAs" is_gone "$by"
    expect 5 "the delete was not followed by the other side" is_gone "$at"
  else
    expect 5 "the other side kept the deleted child" no_child "$at"
  fi
  initiate a; both_up; ping_through a 2; ping_through b 2
}
no_child() { ! is_up "$1"; }
both init-delete-ours 60 'we delete the IKE SA, they follow; then a new tunnel' deleted a ours ike
both init-delete-theirs 60 'they delete the IKE SA, we follow; then a new tunnel' deleted a peer ike
both resp-delete-ours 60 'as responder we delete the IKE SA, they follow' deleted b ours ike
both resp-delete-theirs 60 'as responder we follow their delete' deleted b peer ike
both delete-child-ours 60 'we delete the child SA only' deleted a ours child
both delete-child-theirs 60 'they delete the child SA only' deleted a peer child

idle() { # nothing crosses: the child goes on both sides; while something crosses, it stays
  pair "$1"; topology direct; capture b
  start "$PEER"; start "$OURS" IDLE=2
  initiate a; both_up
  ping_begin a 4; ping_end; both_up 1
  expect 6 "the idle child stays at our side" gw_ask "$OURS" 'not s["children"]'
  expect 3 "the idle child stays at the peer" no_child "$PEER"
  log_has "$OURS" 'idle' || fail "our log does not name the idle time"
}
both init-idle 60 'idle timeout: the child is deleted on both sides, traffic keeps it' idle a
both resp-idle 60 'idle timeout as responder' idle b

failed_over() { # the peer's first address falls silent: DPD finds out and its second one is tried
  pair a; topology direct; ip -n "$(nsname b)" addr add 192.0.2.3/24 dev outer; capture b
  start b LOCALS=192.0.2.2,192.0.2.3
  # With MOBIKE the SAs move instead: v2-init-mobike-path.
  if [[ $SCENARIO == v2-* ]]; then settings GWPEER='quirks = { no-mobike = true }'; fi
  start a PEERS='"192.0.2.2", "192.0.2.3"' DPD=1 RETRY=0.3 TRIES=3
  initiate a; both_up; ping_through a 2
  ns b iptables -A INPUT -d 192.0.2.2 -j DROP
  spawn traffic a ping -n -i 0.2 -W 1 -I "$(inner a)" "$(inner b)"
  expect 25 "the tunnel does not come up with the second address" to_second
  end traffic INT 2 || :; ping_through a 3
  log_has a 'dead \(DPD\)' || fail "no word about the dead address in our log"
}
to_second() { gw_ask a 'any(c["active"] and c["remote"][0] == "192.0.2.3" for c in s["children"])'; }
[ "${INTEROP_OURS:-gateway}" = strongswan ] || both init-failover 60 'the peer'"'"'s first address dies: DPD, then its second address' failed_over

shut_down() { # SIGTERM of our side reaches the peer as deletes
  pair a; topology direct; capture b
  start b; start a
  initiate a; both_up
  stop a
  expect 5 "the peer still has SAs after our SIGTERM" is_gone b
  ! ns a ip route | sees "$(network b)" || fail "our route to the remote network stayed behind"
}
both init-sigterm 60 'SIGTERM: deletes towards the peer, routes removed' shut_down
