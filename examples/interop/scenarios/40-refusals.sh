# What must not work, and must be explained on our side.
wrong_psk() {
  pair "$1"; topology direct; capture b
  start "$PEER" PSK=another-secret RETRY=0.3 TRIES=4; start "$OURS" RETRY=0.3 TRIES=4
  ! try_initiate a || fail "a tunnel came up with different pre-shared keys"
  ! is_up a || fail "side a believes in a tunnel"
  [ "${KIND[$OURS]}" != gateway ] || expect 10 "our log does not name the pre-shared key as the likely cause" log_has "$OURS" 'pre-shared keys may differ|AUTHENTICATION_FAILED'
}
both init-wrong-psk 90 'wrong PSK, we initiate: no tunnel, explained' wrong_psk a
both resp-wrong-psk 90 'wrong PSK, they initiate: no tunnel, explained' wrong_psk b

no_common() { # SIDE 'regex of the explanation' PEER-SETTINGS…
  pair "$1"; local why=$2; shift 2
  topology direct; capture b
  start "$PEER" "$@" RETRY=0.3 TRIES=4; start "$OURS" RETRY=0.3 TRIES=4
  ! try_initiate a || fail "a tunnel came up without a common proposal"
  ! is_up a || fail "side a believes in a tunnel"
  [ "${KIND[$OURS]}" != gateway ] || expect 10 "our log does not explain the refusal ($why)" log_has "$OURS" "$why"
}
both init-no-proposal 90 'no common phase 1 proposal, we initiate: their NO-PROPOSAL-CHOSEN is told' no_common a 'NO[-_]PROPOSAL[-_]CHOSEN' GROUP=14
both resp-no-proposal 90 'no common phase 1 proposal, they initiate: each comparison is told' no_common b 'does not match policy|no KE is acceptable' GROUP=14
both init-no-esp-proposal 90 'no common phase 2 proposal, we initiate' no_common a 'NO[-_]PROPOSAL[-_]CHOSEN' ESPENC=3des
both resp-no-esp-proposal 90 'no common phase 2 proposal, they initiate' no_common b 'does not match|no common|NO[-_]PROPOSAL[-_]CHOSEN' ESPENC=3des

stray() { # Requests of no IKE SA: both sides are asked the same, the answers are compared.
  pair b; topology direct; capture b
  start b; start a
  ns a /usr/bin/python3 "$HERE/peers/stray.py" "$(outer a)" "$(outer b)" >"$DIR/ours.txt"
  ns b /usr/bin/python3 "$HERE/peers/stray.py" "$(outer b)" "$(outer a)" >"$DIR/theirs.txt"
  capture_end b
  grep '^version' "$DIR/ours.txt" | diff - <(grep '^version' "$DIR/theirs.txt") || fail "INVALID_MAJOR_VERSION is told in two ways"
  [ "$(isakmp_count "isakmp.notify.msgtype == 5 && ip.src == $(outer b)")" = 1 ] || fail "no INVALID_MAJOR_VERSION on the wire"
  [ "$(isakmp_count "isakmp.notify.msgtype == 4 && ip.src == $(outer b)")" = 1 ] || fail "no INVALID_IKE_SPI on the wire"
  note "INVALID_IKE_SPI of strongSwan: $(grep '^spi' "$DIR/theirs.txt")"
}
scenario v2-stray-requests 60 'a version of the future, an IKE SA that nobody has: told as strongSwan tells it' stray
