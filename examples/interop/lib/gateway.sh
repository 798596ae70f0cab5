# Our gateway: its TOML file out of the settings, its commands, its status.

gw_cipher() { case $1 in aes128|aes192|aes256) echo "aes-${1#aes}";; aes128gcm16) echo aes-128-gcm;; aes256gcm16) echo aes-256-gcm;; chacha20poly1305) echo chacha20-poly1305;;
  *) echo "$1";; esac; }

gw_start() { # SIDE, with the settings in V
  local s=$1 o d=$DIR/gateway-$1 remote; o=$(other "$1")
  remote="\"$(outer "$o")\""; [ "$s" != b ] || [ "$TOPOLOGY" != nat ] || remote="\"any\""
  [ "$remote" != '"any"' ] || V[EXTRA]+=$'\nstart = "passive"'
  mkdir -p "$d/keys"; rm -f "$d/control.sock"; : >"$d/log"
  {
    cat <<CONF
[gateway]
name = "$s"
tun = "ipsec0"
mtu = ${V[TUNMTU]}
control = "$d/control.sock"
nat-keepalive = ${V[KEEPALIVE]}
retransmit = ${V[RETRY]}
retransmit-tries = ${V[TRIES]}

$(gw_policy)
$([ "${V[IKELIFE]}" = 0 ] || echo "lifetime = $((V[IKELIFE]))")

[[transform-set]]
name = "set"
encryption = "$(gw_cipher "${V[ESPENC]}")"
$([ "${V[ESPAUTH]}" = none ] || echo "hash = \"${V[ESPAUTH]}\"")
mode = "${V[MODE]}"

[[psk]]
peer = "any"
secret = "${V[PSK]}"

[[peer]]
name = "peer"
version = "ikev${V[VERSION]}"
address = [${V[PEERS]:-$remote}]
$([ "${V[AGGRESSIVE]}" = no ] || echo 'mode = "aggressive-exposing-psk-hash"')
$([ -z "${V[FRAGMENT]}" ] || echo "fragment-size = ${V[FRAGMENT]}")
$([ "${V[DPD]}" = 0 ] || echo "dpd = { interval = ${V[DPD]}, retry = 1, retries = 3 }")

${V[GWPEER]}
$(gw_tunnels "$s")
${V[GWTOP]}
CONF
  } >"$d/gateway.toml"
  "$INTEROP_GATEWAY" check --config "$d/gateway.toml" >"$d/check.out" 2>&1 || fail "configuration of $s: $(tail -1 "$d/check.out")"
  SPAWN_LOG=${GW_LOG:-} spawn "gateway-$s" "$s" "$INTEROP_GATEWAY" run --config "$d/gateway.toml" --log cisco --keylog "$d/keys" --pcap "$d/gateway.pcap"
  expect 5 "our gateway did not start on $s: $(tail -1 "$DIR/gateway-$s.out")" test -S "$d/control.sock"
}
gw_policy() {
  if [ "${V[VERSION]}" = 1 ]; then
    printf '[[isakmp-policy]]\npriority = 10\nencryption = "%s"\nhash = "%s"\nauthentication = "%s"\ngroup = %s\n' \
      "$(gw_cipher "${V[ENC]}")" "${V[HASH]}" "${V[AUTH]}" "${V[GROUP]}"
  else
    printf '[[ikev2-policy]]\npriority = 10\nencryption = "%s"\nprf = "%s"\ngroup = [%s]\n' "$(gw_cipher "${V[ENC]}")" "${V[HASH]}" "${V[GROUP]// /, }"
    case ${V[ENC]} in *gcm*|*poly*) ;; *) echo "integrity = \"${V[HASH]}\"";; esac
    [ -z "${V[ADDKE]}" ] || echo "additional = [${V[ADDKE]// /, }]"
  fi
}
gw_tunnels() { # SIDE
  local s=$1 wide="[\"$NET_a\", \"$NET2_a\"]" b="\"$NET_b\"" o; o=$(other "$1")
  case ${V[KIDS]}-$s in
    wide-a) gw_tunnel net "$wide" "$b";;
    wide-b) gw_tunnel net "$b" "$wide";;
    *) gw_tunnel net "\"${V[GWLOCAL]:-$(gw_network "$s")}\"" "\"${V[REMOTE]:-$(gw_network "$o")}\"";;
  esac
  case ${V[KIDS]}-$s in two-a) gw_tunnel net2 "\"$NET2_a\"" "$b";; two-b) gw_tunnel net2 "$b" "\"$NET2_a\"";; esac
}
gw_tunnel() { # NAME LOCAL REMOTE
  cat <<CONF
[[peer.tunnel]]
name = "$1"
local = $2
remote = $3
transform-set = "set"
pfs = $([ "${V[PFS]}" = no ] && echo '"accept"' || echo "${V[PFS]}")
esn = $([ "${V[ESN]}" = no ] && echo false || echo true)
$([ "${V[CHILDLIFE]}" = 0 ] || echo "lifetime = ${V[CHILDLIFE]}")
$([ "${V[IDLE]}" = 0 ] || echo "idle-time = ${V[IDLE]}")
${V[EXTRA]}
CONF
}
# In transport mode a tunnel is between the outer addresses.
gw_network() {
  if [ "${V[MODE]}" = transport ]; then case $(outer "$1") in *:*) echo "$(outer "$1")/128";; *) echo "$(outer "$1")/32";; esac
  else network "$1"; fi; }
gw() { # SIDE COMMAND ARGS…
  local d=$DIR/gateway-$1 what=$2; shift 2; "$INTEROP_GATEWAY" "$what" "$@" --control "$d/control.sock"
}
gw_status() { gw "$1" status --json; }
# gw_ask SIDE 'python expression over the status s'
gw_ask() { gw_status "$1" | python3 -c "import json, sys; s = json.load(sys.stdin); sys.exit(not ($2))"; }
gw_initiate() { gw "$1" initiate "${2:-net}" --timeout 40; }
gw_sas() { gw "$1" status --detail; }
gw_up() { gw_ask "$1" 'any(t["up"] for t in s["tunnels"]) and any(i["active"] for i in s["ike"])'; }
# Attempts at a new one (MM_NO_STATE) are no SA.
gw_gone() { gw_ask "$1" 'not any(i["active"] for i in s["ike"]) and not s["children"]'; }
gw_log() { grep -E -- "$2" "$DIR/gateway-$1.out"; }
gw_delete() { case $2 in ike) gw "$1" delete peer;; child) gw "$1" delete net;; esac; }
gw_rekey() { case $2 in ike) gw "$1" rekey peer;; child) gw "$1" rekey net;; esac; }
gw_stop() { end "gateway-$1" TERM 5; }
gw_children_made() { gw_log "$1" 'tunnel net: up|rekeyed' | wc -l; }
gw_ikes_made() { gw_log "$1" 'peer peer: IKE SA up' | wc -l; }
