# A tunnel that is wanted comes back: after orderly ends, refusals, and with the key exchange that the peer wants.
back() { # WHAT SECONDS: side a, which is to keep the tunnel up, has one again
  expect "$2" "no tunnel $2 s after $1" is_up a; expect "$2" "strongSwan has no tunnel $2 s after $1" is_up b
  ping_some a 20
}
ended_there() { # strongSwan deletes the IKE SA, then the child, in an orderly way
  pair a; topology direct; capture a; start b; start a EXTRA='start = "now"'
  back "the start" 15
  local made; made=$(ikes_made a)
  delete b ike
  expect 10 "our gateway has begun no other IKE SA" more_ikes_than "$made"
  back "the Delete of the IKE SA" 10
  made=$(children_made a)
  delete b child
  expect 10 "our gateway has begun no other child" more_children_than "$made"
  back "the Delete of the child" 10
}
more_ikes_than() { [ "$(ikes_made a)" -gt "$1" ]; }
more_children_than() { [ "$(children_made a)" -gt "$1" ]; }
restarted() { # strongSwan is stopped in an orderly way and started again
  pair a; topology direct; start b; start a EXTRA='start = "now"' RETRY=1
  back "the start" 15
  stop b; start b
  back "the restart" 30
}
both l1-deleted 90 'keep-up: strongSwan deletes IKE SA and child, each comes back' ended_there
both l1-restarted 90 'keep-up: strongSwan stops and starts again, the tunnel comes back' restarted

wants_pfs() { # GROUP PFS: pfs = "accept" (the default) towards a peer that wants PFS, over some child lifetimes
  pair a; settings GROUP="$1"; topology direct; capture a; start b PFS="$2"; start a CHILDLIFE=8 EXTRA='start = "on-demand"'
  initiate a; both_up
  local made; made=$(children_made a)
  expect 20 "no rekey came through" more_children_than "$((made + 1))"
  both_up; ping_through a 3
  ! log_has a 'tunnel net: down' || fail "the tunnel was lost"
}
# The group of the IKE SA, and in IKEv2 another one, which INVALID_KE_PAYLOAD names.
scenario v1-l4-wants-pfs 90 'IKEv1: a peer that wants PFS gets it by the second offer' wants_pfs 14 14
scenario v2-l4-wants-pfs 90 'IKEv2: a peer that wants PFS gets it with the first rekey' wants_pfs 31 31
scenario v2-l4-wants-other 90 'IKEv2: a peer that wants PFS with another group gets it' wants_pfs 31 14

child_refused() { # the child is refused, and granted after a change at strongSwan, which keeps the IKE SA
  pair a; topology direct; start b LOCALTS=10.99.0.0/24; start a EXTRA='start = "now"'
  expect 15 "nothing was refused" log_has a 'not up: the peer refused'
  expect 5 "our log does not say when the next attempt is" log_has a 'tunnel net: next attempt in'
  sed -i "s|local_ts = 10.99.0.0/24|local_ts = $NET_b|" "$DIR/swan-b/swanctl/swanctl.conf"
  swan b --load-all >"$DIR/reload.out" 2>&1 || fail "swanctl --load-all again"
  back "the change" 25
}
both l5-refused 90 'keep-up: a child that was refused is asked for again, and comes up when it is granted' child_refused

refused_mode() { # we want transport mode, strongSwan answers for tunnel mode: it must not keep its half
  pair a; topology direct; capture a
  # Its packets of IKE are not for the tunnel device that it sets up between the outer addresses.
  start b REMOTE="$(outer a)/32" LOCALTS="$(outer b)/32" \
    SWAN='plugins { socket-default { fwmark = 0x42 } kernel-netlink { fwmark = !0x42 } }'
  start a MODE=transport REMOTE="$(outer b)/32" GWLOCAL="$(outer a)/32"
  ! try_initiate a || fail "a child came up in another mode than ours"
  log_has a 'not up: refused here' || fail "our gateway has refused nothing: $(cat "$DIR/initiate-a.out")"
  expect 5 "strongSwan has not set up a child" log_has b 'CHILD_SA net.* established'
  expect 5 "strongSwan keeps a child that we have refused" none_at b
  is_up_ike b || fail "the IKE SA is gone too"
}
none_at() { ! swan_sas "$1" | sees INSTALLED; }
is_up_ike() { swan_sas "$1" | sees ESTABLISHED; }
scenario v2-l13-other-mode 60 'IKEv2: the child that strongSwan sets up in tunnel mode against our wish is deleted there' refused_mode
