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
