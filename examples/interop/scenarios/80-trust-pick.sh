# Whose call it is: which peer and which tunnel of the file is meant; RSASSA-PSS and signatures over SHA-1.
pick_narrow() { # the peer asks for exactly the narrow tunnel, which stands behind a wide one with weaker transforms; what it offers besides those
  local auth=sha1 esp; pair b; topology direct
  [[ $SCENARIO == v1-* ]] || auth=sha256
  esp=$auth${1:-}
  start b EXTRA='selectors = "within"' GWTOP=$'[[peer.tunnel]]\nname = "narrow"\nlocal = "10.10.2.1/32"\nremote = "10.10.1.1/32"\ntransform-set = "strong"\nselectors = "exact"\nstart = "passive"\n[[transform-set]]\nname = "strong"\nencryption = "aes-256"\nhash = "sha512"\n'
  start a LOCALTS=10.10.1.1/32 REMOTE=10.10.2.1/32 ESPAUTH="$esp"; initiate a; both_up
  if [[ $esp == *,* ]]; then
    gw_ask b 'all(c["name"] == "narrow" for c in s["children"])' || fail "the wide tunnel protects the networks of the narrow one"
  else
    # Its transforms alone are offered: the wide tunnel is the next best.
    gw_ask b 'all(c["name"] == "net" for c in s["children"])' || fail "the wide tunnel was not taken"
  fi
  ping_through a 3; ping_through b 3
}
both pick-narrow 60 'of two tunnels that fit the one with exactly these networks is taken' pick_narrow ,aes256-sha512
both pick-wide 60 'a tunnel whose transforms are not offered leaves it to the next best' pick_narrow
pick_exact() { # exact selectors of a wide and of a narrow tunnel: the one is not narrowed, the transforms of the other are not offered
  pair b; topology direct
  start b EXTRA='selectors = "exact"' GWTOP=$'[[peer.tunnel]]\nname = "narrow"\nlocal = "10.10.2.1/32"\nremote = "10.10.1.1/32"\ntransform-set = "strong"\nselectors = "exact"\nstart = "passive"\n[[transform-set]]\nname = "strong"\nencryption = "aes-256"\nhash = "sha512"\n'
  start a LOCALTS=10.10.1.1/32 REMOTE=10.10.2.1/32 TRIES=3 RETRY=0.5
  ! try_initiate a || fail "a tunnel was granted"
  gw_ask b 'not s["children"]' || fail "a tunnel was granted"
  log_has b 'child net refused: .*exact selectors' || fail "we do not say why the wide tunnel is not granted"
  log_has b 'child narrow refused: no proposal fits its transforms' || fail "we do not say why the narrow tunnel is not granted"
}
both pick-exact 60 'exact selectors are not narrowed, and a refusal names each tunnel' pick_exact
pick_peer() { # NAME LINES: a second peer of our file that may be anywhere, with the same networks
  printf '[[peer]]\nname = "%s"\naddress = "any"\n%s\n[[peer.tunnel]]\nname = "%s-net"\nlocal = "10.10.2.0/24"\nremote = "10.10.1.0/24"\ntransform-set = "set"\nstart = "passive"\n' "$1" "$2" "$1"
}
pick_version() { # the first peer of our file speaks the other version; both may be anywhere
  local v=${SCENARIO:1:1} policy first=(VERSION=1 ENC=aes128 HASH=sha1 GROUP=2)
  policy=$'[[ikev2-policy]]\npriority = 20\nencryption = "aes-128"\nprf = "sha256"\nintegrity = "sha256"\ngroup = [31]\n'
  if [ "$v" = 1 ]; then
    first=(VERSION=2 ENC=aes128 HASH=sha256 GROUP=31)
    policy=$'[[isakmp-policy]]\npriority = 20\nencryption = "aes-128"\nhash = "sha1"\nauthentication = "pre-share"\ngroup = 2\n'
  fi
  pair b; topology direct
  start b "${first[@]}" ESPAUTH=sha1 PEERS='"any"' EXTRA='start = "passive"' GWTOP="$policy$(pick_peer other "version = \"ikev$v\"")"
  start a ESPAUTH=sha1; initiate a; both_up; ping_through a 3
  gw_ask b 'all(c["name"] == "other-net" for c in s["children"])' || fail "another peer was meant"
}
both pick-version 60 'of two peers that may be anywhere the one of the other version is not in the way' pick_version
pick_identity() { # two peers that may be anywhere, with one key: the identity decides
  local v=${SCENARIO:1:1}; pair b; topology direct
  start b PEERS='"any"' GWPEER='remote-id = "first.lab"' EXTRA='start = "passive"' GWTOP="$(pick_peer second $'version = "ikev'"$v"$'"\nremote-id = "second.lab"')"
  start a SWANLOCAL=$'auth = psk\nid = second.lab'; initiate a; both_up; ping_through a 3
  gw_ask b 'all(c["name"] == "second-net" for c in s["children"])' || fail "another peer was meant"
}
both pick-identity 60 'of two peers that may be anywhere the one with the identity is meant' pick_identity
pick_pss() { # a|b (our side): both sides sign with RSASSA-PSS
  certificates "$1" rsa SWAN='rsa_pss = yes'
  log_has "$OURS" 'we authenticate by Digital Signature, RSA_PSS' || fail "we do not sign with RSASSA-PSS"
  log_has "$OURS" 'peer authenticated by Digital Signature, RSA_PSS' || fail "the peer does not sign with RSASSA-PSS"
  log_has "$PEER" "authentication of '$(who "$OURS")' with RSA_EMSA_PSS" || fail "the peer did not take our signature for RSASSA-PSS"
}
scenario v2-pick-pss-init 60 'IKEv2, RSASSA-PSS on both sides, we initiate' pick_pss a
scenario v2-pick-pss-resp 60 'IKEv2, RSASSA-PSS on both sides, they initiate' pick_pss b
pick_sha1() { # a|b (our side): a peer without RFC 7427 signs over SHA-1, and is told apart from a wrong key. As initiators we would
  # not see its signature: such a strongSwan takes nothing but SHA-1 from us, and turns us away first.
  local s; pair "$1"
  settings VERSION=2 ENC=aes256 HASH=sha256 GROUP=14 ESPENC=aes256 ESPAUTH=sha256 SWANLOAD="$PLUGINS" SWAN='signature_authentication = no' TRIES=3 RETRY=0.5
  topology direct; pki_make rsa
  for s in b a; do
    start $s GWPEER="$(gw_auth $s signature signature)" SWANLOCAL="$(swan_pubkey $s)" SWANREMOTE="$(swan_trusts "$(other $s)")"
  done
  ! try_initiate a || fail "a signature over SHA-1 was accepted"
  log_has "$OURS" 'signature over SHA1 is weak and the policy does not name it' || fail "we do not say what is wrong with the signature"
}
scenario v2-pick-sha1-resp 60 'IKEv2, a signature over SHA-1 is refused and called so, they initiate' pick_sha1 b
pick_narrowed() { # the peer answers a quick mode with less than was asked for: IKEv1 has no narrowing, and we say so
  pair a; topology direct
  start b LOCALTS=10.10.2.1/32; start a TRIES=3 RETRY=0.5
  ! try_initiate a || fail "a tunnel with other networks than were asked for"
  grep -q 'IKEv1 cannot narrow' initiate-a.out || fail "we do not say what is wrong: $(tail -1 initiate-a.out)"
}
scenario v1-pick-narrowed 60 'IKEv1, a peer that narrows is told that it may not, and the reason is named' pick_narrowed
