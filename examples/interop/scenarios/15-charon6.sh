# strongSwan 6.1 (peers/charon61): what 5.9.8 cannot do, ESP without UDP on the wire and ML-KEM.
raw_esp() { # a|b K=V…
  tunnel "$1" CHARON=6 "${@:2}"; file_through a 2; capture_end b
  local raw udp
  raw=$(tshark -r b.pcap -Y 'ip.proto == 50' 2>/dev/null | wc -l)
  udp=$(tshark -r b.pcap -Y 'udp.port == 4500 && esp' 2>/dev/null | wc -l)
  [ "$raw" -gt 12 ] || fail "$raw raw ESP packets on the wire"
  [ "$udp" = 0 ] || fail "$udp ESP packets in UDP: there is no NAT"
  note "$raw raw ESP packets"
}
if [ "${INTEROP_OURS:-gateway}" = gateway ]; then
  for v in 1 2; do
    scenario "v$v-charon6-init-rawesp" 60 'raw ESP with strongSwan 6.1, we initiate' raw_esp a "VERSION=$v" ENC=aes256 HASH=sha256 GROUP=14 ESPENC=aes256 ESPAUTH=sha256
    scenario "v$v-charon6-resp-rawesp" 60 'raw ESP with strongSwan 6.1, they initiate' raw_esp b "VERSION=$v" ENC=aes256 HASH=sha256 GROUP=14 ESPENC=aes256 ESPAUTH=sha256
  done
  # RFC 9370: each additional exchange is a pair of IKE_INTERMEDIATE messages; ML-KEM-1024 goes in fragments.
  mlkem() { # a|b K=V…
    tunnel "$1" CHARON=6 "${@:2}"; capture_end b
    [ "$(tshark -r b.pcap -Y 'isakmp.exchangetype == 43' 2>/dev/null | wc -l)" -ge 2 ] || fail "no IKE_INTERMEDIATE on the wire"
    note "$(tshark -r b.pcap -Y 'isakmp.exchangetype == 43' 2>/dev/null | wc -l) messages of IKE_INTERMEDIATE"
  }
  # RFC 9370 §2.2.4: so is each pair of IKE_FOLLOWUP_KE, in rekeys of the IKE SA and of the child, which each side starts.
  # The peer first: it loses track when it is to rekey a child that has only come in, and we delete an old one after 10 s.
  followed() { # a|b K=V…
    tunnel "$1" CHARON=6 "${@:2}"
    ping_begin a 9
    local s; for s in "$PEER" "$OURS"; do
      sleep 1; rekey "$s" child; sleep 1; rekey "$s" ike; sleep 1
    done
    ping_end; both_up 3; ping_through b 2; capture_end b
    local n made; n=$(isakmp_count 'isakmp.exchangetype == 44'); made=$(isakmp_count 'isakmp.exchangetype == 36')
    note "$made messages of CREATE_CHILD_SA, $n of IKE_FOLLOWUP_KE"
    [ "$made" -ge 8 ] || fail "$made messages of CREATE_CHILD_SA for four rekeys"
    [ "$n" -ge "$made" ] || fail "$n messages of IKE_FOLLOWUP_KE after $made of CREATE_CHILD_SA"
    [ "$(ikes_made "$PEER")" -ge 3 ] || fail "$(ikes_made "$PEER") IKE SAs"
    [ "$(children_made "$PEER")" -ge 3 ] || fail "$(children_made "$PEER") child SAs"
  }
  for side in init:a resp:b; do
    scenario "v2-charon6-${side%:*}-followup" 60 'rekeys with X25519 and ML-KEM-768 by each side, nothing lost, with strongSwan 6.1' followed "${side#*:}" ENC=aes256gcm16 GROUP=31 ADDKE=36 ESPENC=aes256gcm16 ESPAUTH=none PFS=31
    scenario "v2-charon6-${side%:*}-mlkem768" 60 'X25519 and ML-KEM-768 with strongSwan 6.1' mlkem "${side#*:}" ENC=aes256gcm16 GROUP=31 ADDKE=36 ESPENC=aes256gcm16 ESPAUTH=none
    scenario "v2-charon6-${side%:*}-mlkem1024" 60 'P-256 and ML-KEM-1024, in fragments, with strongSwan 6.1' mlkem "${side#*:}" ENC=aes256gcm16 GROUP=19 ADDKE=37 ESPENC=aes256gcm16 ESPAUTH=none
  done
fi
