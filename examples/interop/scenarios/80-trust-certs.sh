# What a stranger makes us compute is computed beside the packets.
busy() {
  local spoken; pair both; settings GROUP=18 ENC=aes256
  topology direct; start b; start a; initiate a; both_up; ping_begin a 8
  step "40 key exchanges of 8,192 bits, ten a second"
  ns b python3 "$HERE/peers/exchanger.py" "$(outer a)" 40 10 >"$DIR/exchanger.out" 2>&1 || fail "exchanger.py: $(tail -1 "$DIR/exchanger.out")"
  spoken=$(grep -oE '^[0-9]+ answered' "$DIR/exchanger.out") || fail "nothing was answered"
  [ "${spoken%% *}" -ge 8 ] || fail "$spoken of 40"
  ping_end
  note "$spoken; 99 % of the pings within $(sed -n 's/.*time=\([0-9.]*\) ms/\1/p' "$DIR/ping.out" | sort -n | sed -n '79p') ms"
  rekey a child; ping_through a 2
}

if [ "${INTEROP_OURS:-gateway}" = gateway ]; then
  scenario v2-trust-busy-workers 90 'forty key exchanges of a stranger with 8,192 bits: no ping is lost' busy
fi
