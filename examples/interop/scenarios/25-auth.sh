# Who is who: certificates made by strongSwan's pki, raw keys, EAP-MSCHAPv2 in both roles, an address pool; signatures of IKEv1.
PLUGINS="pem pkcs1 pkcs8 x509 pubkey constraints mgf1 curve25519 eap-identity eap-mschapv2"

pki_make() { # rsa|ecdsa|ed25519: an authority and the certificates of both sides, in $DIR/pki and for strongSwan
  local type=$1 n d=$DIR/pki size=(); mkdir -p "$d"
  case $type in rsa) size=(--size 3072);; ecdsa) size=(--size 256);; esac
  pki --gen --type "$type" "${size[@]}" --outform pem >"$d/ca.key"
  pki --self --ca --in "$d/ca.key" --dn "O=lab, CN=lab CA" --outform pem >"$d/ca.pem"
  for n in a b; do
    pki --gen --type "$type" "${size[@]}" --outform pem >"$d/$n.key"
    pki --issue --type priv --in "$d/$n.key" --cacert "$d/ca.pem" --cakey "$d/ca.key" --dn "O=lab, CN=$n.lab" --san "$n.lab" --san "$n@lab" --outform pem >"$d/$n.pem"
    pki --pub --in "$d/$n.key" --type priv --outform pem >"$d/$n.pub"
    mkdir -p "$DIR/swan-$n/swanctl"/{x509,x509ca,private,pubkey}
    cp "$d/ca.pem" "$DIR/swan-$n/swanctl/x509ca/"; cp "$d/$n.pem" "$DIR/swan-$n/swanctl/x509/"; cp "$d/$n.key" "$DIR/swan-$n/swanctl/private/"
  done
}
# What each side says: names, and how it proves itself and the other. WHO is what names look like; ? is the side.
WHO='?.lab'
who() { echo "${WHO/\?/$1}"; }
gw_auth() { # SIDE LOCAL REMOTE MORE
  local s=$1 o d=$DIR/pki; o=$(other "$1")
  printf 'local-id = "%s"\nremote-id = "%s"\n[peer.auth]\nlocal = "%s"\nremote = "%s"\n' "$(who "$s")" "$(who "$o")" "$2" "$3"
  case $2 in
    signature) printf 'certificate = "%s"\nprivate-key = "%s"\n' "$d/$s.pem" "$d/$s.key";;
    raw-key) printf 'private-key = "%s"\n' "$d/$s.key";;
  esac
  case $3 in
    signature) printf 'authority = "%s"\n' "$d/ca.pem";;
    raw-key) printf 'public-key = "%s"\n' "$d/$o.pub";;
  esac
  echo "${4:-}"
}
swan_pubkey() { printf 'auth = pubkey\ncerts = %s.pem\nid = "%s"\n' "$1" "$(who "$1")"; }
swan_trusts() { printf 'auth = pubkey\ncacerts = ca.pem\nid = "%s"\n' "$(who "$1")"; }

certificates() { # a|b (our side); a initiates
  local type=$2 s; pair "$1"; shift 2
  settings VERSION=2 ENC=aes256 HASH=sha256 GROUP=14 ESPENC=aes256 ESPAUTH=sha256 SWANLOAD="$PLUGINS" "$@"
  topology direct; pki_make "$type"; capture b
  for s in b a; do
    start $s GWPEER="$(gw_auth $s signature signature)" SWANLOCAL="$(swan_pubkey $s)" SWANREMOTE="$(swan_trusts "$(other $s)")"
  done
  initiate a; both_up; ping_through a 3; ping_through b 3; capture_end b
  log_has "$OURS" 'peer authenticated by (Digital Signature|a signature)' || fail "we do not say how the peer has proven itself"
  # Certificates of RSA keys do not fit one message of 1,280 octets.
  [ "$type" != rsa ] || note "fragments $(tshark -r b.pcap -Y 'isakmp.nextpayload == 53 || isakmp.typepayload == 53' 2>/dev/null | wc -l)"
}
stranger() { # a certificate of another authority: refused, and the reason stays here
  pair b; settings VERSION=2 ENC=aes256 HASH=sha256 GROUP=14 ESPENC=aes256 ESPAUTH=sha256 SWANLOAD="$PLUGINS"
  topology direct; pki_make ecdsa; mv "$DIR/pki" "$DIR/pki-a"
  pki_make ecdsa; cp "$DIR/pki-a/a.pem" "$DIR/swan-a/swanctl/x509/"; cp "$DIR/pki-a/a.key" "$DIR/swan-a/swanctl/private/"
  start b GWPEER="$(gw_auth b signature signature)"; start a SWANLOCAL="$(swan_pubkey a)" SWANREMOTE="$(swan_trusts b)"
  ! try_initiate a || fail "a certificate of a stranger was accepted"
  log_has b 'certificates of the peer refused: ' || fail "we do not say why"
  log_has a 'AUTHENTICATION_FAILED|AUTH_FAILED' || fail "the peer was not told"
}
names() { # a|b (our side), what names look like; certificates only when they are asked for
  local s; pair "$1"; WHO=$2
  settings VERSION=2 ENC=aes256 HASH=sha256 GROUP=14 ESPENC=aes256 ESPAUTH=sha256 SWANLOAD="$PLUGINS"
  topology direct; pki_make ecdsa
  for s in b a; do
    start $s GWPEER="$(gw_auth $s signature signature 'send-certificate = "if-asked"')" SWANLOCAL="$(swan_pubkey $s)" SWANREMOTE="$(swan_trusts "$(other $s)")"
  done
  initiate a; both_up; ping_through a 2
  log_has "$OURS" "$(who "$PEER"): accepted" || fail "we do not name the peer"
}
revoked() { # a|b (our side), who is on the CRL: the peer or nobody
  local s d=$DIR/pki o; pair "$1"; o=$(other "$1")
  settings VERSION=2 ENC=aes256 HASH=sha256 GROUP=14 ESPENC=aes256 ESPAUTH=sha256 SWANLOAD="$PLUGINS" "${@:3}"
  topology direct; pki_make ecdsa
  pki --signcrl --cacert "$d/ca.pem" --cakey "$d/ca.key" --lifetime 10 $([ "$2" = nobody ] || echo "--reason key-compromise --cert $d/$o.pem") --outform pem >"$d/ca.crl"
  for s in b a; do
    start $s GWPEER="$(gw_auth $s signature signature "crl = \"$d/ca.crl\"")" SWANLOCAL="$(swan_pubkey $s)" SWANREMOTE="$(swan_trusts "$(other $s)")"
  done
  if [ "$2" = nobody ]; then initiate a; both_up; ping_through a 2; return; fi
  ! try_initiate a || fail "a revoked certificate was accepted"
  log_has "$1" 'certificates of the peer refused: it is revoked' || fail "we do not say why"
  # IKEv1 has no word for it that would be protected.
  [[ $SCENARIO == v1-* ]] || log_has "$o" 'AUTHENTICATION_FAILED|AUTH_FAILED' || fail "the peer was not told"
}
raw_keys() { # a|b (our side), type of key
  local s o d=$DIR/pki; pair "$1"
  settings VERSION=2 ENC=aes256 HASH=sha256 GROUP=14 ESPENC=aes256 ESPAUTH=sha256 SWANLOAD="$PLUGINS"
  topology direct; pki_make "$2"
  for s in b a; do
    o=$(other $s); cp "$d"/{a,b}.pub "$DIR/swan-$s/swanctl/pubkey/"; rm "$DIR/swan-$s/swanctl"/x509{,ca}/*
    start $s GWPEER="$(gw_auth $s raw-key raw-key)" SWANLOCAL="$(printf 'auth = pubkey\npubkeys = %s.pub\nid = %s.lab' $s $s)" \
      SWANREMOTE="$(printf 'auth = pubkey\npubkeys = %s.pub\nid = %s.lab' "$o" "$o")"
  done
  initiate a; both_up; ping_through a 2; ping_through b 2
}
eap() { # a|b (our side); a is the user, b the gateway with a certificate; `wrong`: another password
  local password=labsecret; pair "$1"
  [ "${2:-}" != wrong ] || password=guess
  settings VERSION=2 ENC=aes256 HASH=sha256 GROUP=14 ESPENC=aes256 ESPAUTH=sha256 SWANLOAD="$PLUGINS"
  topology direct; pki_make ecdsa
  if [ "$1" = b ]; then
    start b REMOTE=10.10.9.0/24 GWPEER="$(gw_auth b signature eap-mschapv2 'pool = "road"')" \
      GWTOP=$'[[eap-user]]\nname = "alice"\npassword = "labsecret"\npeer = "peer"\n[[pool]]\nname = "road"\nnetwork = "10.10.9.0/24"\ndns = "10.10.2.53"'
    start a LOCALTS=dynamic SWAN='install_virtual_ip_on = lo' SWANCONN='vips = 0.0.0.0' SWANREMOTE="$(swan_trusts b)" \
      SWANLOCAL=$'auth = eap-mschapv2\neap_id = alice\nid = a.lab' SWANSECRETS=$'eap-alice { id = alice\nsecret = '$password' }'
  else
    start b REMOTE=dynamic SWANCONN='pools = road' SWANTOP=$'pools { road { addrs = 10.10.9.0/24\ndns = 10.10.2.53 } }' SWANLOCAL="$(swan_pubkey b)" \
      SWANREMOTE=$'auth = eap-mschapv2\neap_id = %any' SWANSECRETS=$'eap-alice { id = alice\nsecret = labsecret }'
    start a GWLOCAL=0.0.0.0/0 GWPEER="$(gw_auth a eap-mschapv2 signature $'user = "alice"\nrequest-address = true')" GWTOP=$'[[eap-user]]\nname = "alice"\npassword = "'$password'"'
  fi
  if [ "${2:-}" = wrong ]; then
    ! try_initiate a || fail "a wrong password was accepted"
    log_has "$1" 'EAP: wrong password of alice|authentication failed: the server refused' || fail "we do not say why"
    return
  fi
  initiate a; both_up
  ns a ip -4 addr | sees 'inet 10.10.9.1/32' || fail "the user has no address of the pool"
  ns a ping -n -q -c 3 -i 0.2 -W 2 -I 10.10.9.1 "$(inner b)" | tee ping.out || :
  grep -q ' 3 received' ping.out || fail "ping from the assigned address"
  [ "$1" = a ] || log_has b 'EAP has authenticated alice' || fail "we do not say whom EAP has authenticated"
  if [ "$1" = a ]; then
    delete a ike; expect 5 "the tunnel is still up" is_gone a
    ! ns a ip -4 addr | sees 10.10.9.1 || fail "the address outlives its IKE SA"
  fi
}
ppk() { # a|b (our side), who initiates, whether it is required, what strongSwan knows: yes, no, other
  local ours=$1 from=$2 required=$3 known=${4:-yes} s peer; pair "$ours"; peer=$PEER
  topology direct
  for s in b a; do
    if [ "$s" = "$ours" ]; then
      start $s GWPEER=$'[peer.auth]\nppk = { id = "key1", secret = "a-post-quantum-secret", required = '"$required"' }'
    elif [ "$known" = yes ]; then
      start $s SWANCONN=$'ppk_id = key1\nppk_required = '"$required" SWANSECRETS=$'ppk-key { id = key1\nsecret = a-post-quantum-secret }'
    elif [ "$known" = other ]; then
      # As responder strongSwan takes no identifier but the one that is configured.
      start $s SWANCONN="$([ "$s" = b ] || echo 'ppk_id = key2')" SWANSECRETS=$'ppk-key { id = key2\nsecret = another-post-quantum-secret }'
    else start $s; fi
  done
  if [ "$required-$known" = true-no ]; then
    ! try_initiate "$from" || fail "an IKE SA without the required key"
    return
  fi
  initiate "$from"; both_up; ping_through a 2; ping_through b 2
  if [ "$known" = yes ]; then
    log_has "$ours" 'post-quantum pre-shared key in use' || fail "we do not say that the key is used"
    log_has "$peer" 'using PPK' || fail "strongSwan does not use the key"
  fi
}
scenario v2-ppk-init 60 'IKEv2, a required post-quantum key (RFC 8784), we initiate' ppk a a true
scenario v2-ppk-resp 60 'IKEv2, a required post-quantum key (RFC 8784), they initiate' ppk b a true
scenario v2-ppk-optional-init 60 'IKEv2, an optional post-quantum key that they do not know, we initiate' ppk a a false no
scenario v2-ppk-optional-resp 60 'IKEv2, an optional post-quantum key that they do not know, they initiate' ppk b a false no
scenario v2-ppk-other-init 60 'IKEv2, an optional post-quantum key that they do not know, though they have another, we initiate' ppk a a false other
scenario v2-ppk-other-resp 60 'IKEv2, an optional post-quantum key that we do not know, though we have another, they initiate' ppk b a false other
scenario v2-ppk-missing 60 'IKEv2, a required post-quantum key that they do not know' ppk a a true no
for type in ecdsa rsa ed25519; do
  scenario v2-cert-$type-init 60 "IKEv2, $type certificates, we initiate" certificates a $type
  scenario v2-cert-$type-resp 60 "IKEv2, $type certificates, they initiate" certificates b $type
done
for s in a-init b-resp; do
  scenario v2-cert-mail-${s#?-} 60 "IKEv2, identities are e-mail addresses, certificates as asked for, we are ${s%-*}" names ${s%-*} '?@lab'
  scenario v2-cert-dn-${s#?-} 60 "IKEv2, identities are distinguished names, we are ${s%-*}" names ${s%-*} 'O=lab, CN=?.lab'
  scenario v2-cert-revoked-${s#?-} 60 "IKEv2, a revoked certificate is refused, we are ${s%-*}" revoked ${s%-*} peer
  scenario v2-cert-crl-${s#?-} 60 "IKEv2, a CRL that revokes nobody, we are ${s%-*}" revoked ${s%-*} nobody
  for type in rsa ecdsa ed25519; do
    scenario v2-raw-key-$type-${s#?-} 60 "IKEv2, raw public keys ($type), we are ${s%-*}" raw_keys ${s%-*} $type
  done
done
for s in a-init b-resp; do
  scenario v1-sig-rsa-${s#?-} 60 "IKEv1, main mode with RSA signatures, we are ${s%-*}" certificates ${s%-*} rsa VERSION=1 AUTH=rsa-sig
  scenario v1-sig-ecdsa-${s#?-} 60 "IKEv1, main mode with ECDSA signatures, we are ${s%-*}" certificates ${s%-*} ecdsa VERSION=1 AUTH=ecdsa-256-sig HASH=sha1
  scenario v1-sig-revoked-${s#?-} 60 "IKEv1, a revoked certificate is refused, we are ${s%-*}" revoked ${s%-*} peer VERSION=1 AUTH=ecdsa-256-sig TRIES=3
done
scenario v2-cert-stranger 60 'IKEv2, a certificate of another authority is refused' stranger
scenario v2-eap-client 60 'IKEv2, EAP-MSCHAPv2, we are the user' eap a
scenario v2-eap-client-wrong 60 'IKEv2, EAP-MSCHAPv2, we are a user with a wrong password' eap a wrong
scenario v2-eap-server 60 'IKEv2, EAP-MSCHAPv2, we are the server and give an address out of a pool' eap b
scenario v2-eap-server-wrong 60 'IKEv2, EAP-MSCHAPv2, we refuse a wrong password' eap b wrong
