# The peer strongSwan with userland ESP (kernel-libipsec), configured through swanctl: Debian's 5.9.8, or with CHARON=6
# the 6.1 of peers/charon61. The userland ESP of 5.9.8 always encapsulates in UDP (it sends a NAT-D hash that cannot
# match), that of 6.1 sends raw ESP where no NAT is. Neither knows ESN or transport mode: see LEFT-OUT.md.

# settings → strongSwan's words
swan_ike() {
  local g n=0 all=; for g in ${V[GROUP]}; do all+=-$(swan_group "$g"); done
  for g in ${V[ADDKE]}; do n=$((n + 1)); all+=-ke${n}_$(swan_group "$g"); done
  case ${V[ENC]} in *gcm*|*poly*) echo "${V[ENC]}-prf${V[HASH]}$all";; *) echo "${V[ENC]}-${V[HASH]}$all";; esac
}
swan_esp() { # with PFS, the additional key exchanges of the IKE SA are those of the child too
  local g n=0 all; all="${V[ESPENC]}$([ "${V[ESPAUTH]}" = none ] || echo "-${V[ESPAUTH]}")"
  if [ "${V[PFS]}" != no ]; then
    all+=-$(swan_group "${V[PFS]}")
    for g in ${V[ADDKE]}; do n=$((n + 1)); all+=-ke${n}_$(swan_group "$g"); done
  fi
  echo "$all"
}
swan_group() {
  case $1 in 1) echo modp768;; 2) echo modp1024;; 5) echo modp1536;; 14) echo modp2048;; 15) echo modp3072;;
    16) echo modp4096;; 19) echo ecp256;; 20) echo ecp384;; 21) echo ecp521;; 31) echo x25519;; 35) echo mlkem512;; 36) echo mlkem768;; 37) echo mlkem1024;; *) fail "no strongSwan name for group $1";; esac; }

swan_start() { # SIDE, with the settings in V
  local s=$1 o d=$DIR/swan-$1 remote; o=$(other "$1")
  remote=$(outer "$o"); [ "$s" != b ] || [ "$TOPOLOGY" != nat ] || remote=%any
  mkdir -p "$d/swanctl"; : >"$d/charon.log"; rm -f "$d/vici.sock"
  local load="load = openssl aes des sha1 sha2 md5 random nonce gmp hmac kdf kernel-libipsec kernel-netlink socket-default vici updown ${V[SWANLOAD]}"
  local legacy="openssl { load_legacy = yes }" raw="" program="/usr/sbin/charon-systemd"
  [ "${V[CHARON]}" != 6 ] || { load="" legacy="" raw="raw_esp = yes" program="$INTEROP_CHARON61 $d/strongswan.conf"; }
  cat >"$d/strongswan.conf" <<CONF
charon-systemd { journal { default = -1 } }
charon {
  i_dont_care_about_security_and_use_aggressive_mode_psk = ${V[AGGRESSIVE]}
  load_modular = no
  $load
  keep_alive = ${V[KEEPALIVE]}s
  retransmit_timeout = ${V[RETRY]}
  retransmit_base = 1.3
  retransmit_tries = ${V[TRIES]}
  install_routes = yes
  ${V[SWAN]}
  crypto_test { bench = no }
  filelog { file { path = $d/charon.log
      time_format = %T
      time_add_ms = yes
      flush_line = yes
      default = 1
      cfg = 2
      knl = 1
      net = 1
    } }
  plugins { vici { socket = unix://$d/vici.sock }
    $legacy
    kernel-libipsec { allow_peer_ts = yes
      $raw } }
}
CONF
  cat >"$d/swanctl/swanctl.conf" <<CONF
connections { peer {
  version = ${V[VERSION]}
  aggressive = ${V[AGGRESSIVE]}
  local_addrs = ${V[LOCALS]:-$(outer "$s")}
  remote_addrs = $remote
  proposals = $(swan_ike)
  dpd_delay = ${V[DPD]}s
  dpd_timeout = $((V[DPD] * 3))s
  rekey_time = $([ "${V[VERSION]}" = 1 ] && echo 0 || echo "${V[IKELIFE]}")s
  reauth_time = $([ "${V[VERSION]}" = 1 ] && echo "${V[IKELIFE]}" || echo 0)s
  ${V[SWANCONN]}
  over_time = 10s
  rand_time = 0
  keyingtries = 1
  unique = ${V[UNIQUE]}
  local { ${V[SWANLOCAL]} }
  remote { ${V[SWANREMOTE]} }
  children {
$(swan_children "$s") } } }
secrets { ike-peer { secret = "${V[PSK]}" }
  ${V[SWANSECRETS]} }
${V[SWANTOP]}
CONF
  STRONGSWAN_CONF=$d/strongswan.conf spawn "swan-$s" "$s" $program
  expect 8 "charon did not start on $s: $(tail -1 "$DIR/swan-$s.out")" test -S "$d/vici.sock"
  swan "$s" --load-all >"$d/load.out" 2>&1 && grep -q '^loaded connection' "$d/load.out" ||
    fail "swanctl --load-all on $s: $(grep -iE 'fail|error|invalid' "$d/load.out" | head -1)"
}
swan_children() { # SIDE
  local s=$1 o wide; o=$(other "$1"); wide="$NET_a, $NET2_a"
  case ${V[KIDS]}-$s in
    wide-a) swan_child net "$wide" "$NET_b";;
    wide-b) swan_child net "$NET_b" "$wide";;
    *) swan_child net "${V[LOCALTS]:-$(network "$s")}" "${V[REMOTE]:-$(network "$o")}";;
  esac
  case ${V[KIDS]}-$s in two-a) swan_child net2 "$NET2_a" "$NET_b";; two-b) swan_child net2 "$NET_b" "$NET2_a";; esac
}
swan_child() { # NAME LOCAL REMOTE
  cat <<CONF
    $1 {
    local_ts = $2
    remote_ts = $3
    esp_proposals = $(swan_esp)
    rekey_time = ${V[CHILDLIFE]}s
    life_time = $((V[CHILDLIFE] == 0 ? 0 : V[CHILDLIFE] * 4))s
    rand_time = 0
    dpd_action = ${V[DPDACTION]}
    start_action = none
  }
CONF
}
swan() { # SIDE ARGS…
  local d=$DIR/swan-$1; shift
  STRONGSWAN_CONF=$d/strongswan.conf SWANCTL_DIR=$d/swanctl timeout 40 swanctl "$@" --uri "unix://$d/vici.sock"
}
swan_initiate() { swan "$1" --initiate --child "${2:-net}" --timeout 30; }
swan_sas() { swan "$1" --list-sas; }
swan_up() { local t; t=$(swan_sas "$1") && grep -q ESTABLISHED <<<"$t" && grep -q INSTALLED <<<"$t"; }
swan_gone() { ! swan_sas "$1" | sees .; }
swan_log() { grep -E -- "$2" "$DIR/swan-$1/charon.log"; }
swan_delete() { case $2 in ike) swan "$1" --terminate --ike peer --timeout 5;; child) swan "$1" --terminate --child net --timeout 5;; esac; }
# Main mode has no rekey of its own: strongSwan reauthenticates.
swan_rekey() { case $2 in ike) swan "$1" --rekey --ike peer $([[ $SCENARIO == v2-* ]] || echo --reauth);; child) swan "$1" --rekey --child net;; esac; }
swan_children_made() { swan_log "$1" '(CHILD_SA net\{[0-9]+\} established|outbound CHILD_SA net\{[0-9]+\} established|CHILD_SA rekeyed)' | wc -l; }
swan_ikes_made() { swan_log "$1" 'IKE_SA peer\[[0-9]+\] (established|rekeyed) between' | wc -l; }
swan_stop() { end "swan-$1" TERM 5; rm -f "$DIR/swan-$1/vici.sock"; }
