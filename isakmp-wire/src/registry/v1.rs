//! IKEv1: the ISAKMP and IPsec-DOI registries, and the private values that are in use.

registry! {
    /// Next Payload number of an IKEv1 message.
    pub struct PayloadType(u8) {
        NONE = 0, "NONE", "RFC 2408 §3.1";
        SA = 1, "SA", "RFC 2408 §3.4";
        PROPOSAL = 2, "P", "RFC 2408 §3.5";
        TRANSFORM = 3, "T", "RFC 2408 §3.6";
        KEY_EXCHANGE = 4, "KE", "RFC 2408 §3.7";
        IDENTIFICATION = 5, "ID", "RFC 2408 §3.8";
        CERTIFICATE = 6, "CERT", "RFC 2408 §3.9";
        CERTIFICATE_REQUEST = 7, "CR", "RFC 2408 §3.10";
        HASH = 8, "HASH", "RFC 2408 §3.11";
        SIGNATURE = 9, "SIG", "RFC 2408 §3.12";
        NONCE = 10, "NONCE", "RFC 2408 §3.13";
        NOTIFICATION = 11, "N", "RFC 2408 §3.14";
        DELETE = 12, "D", "RFC 2408 §3.15";
        VENDOR_ID = 13, "VID", "RFC 2408 §3.16";
        /// Mode-config and XAUTH.
        ATTRIBUTES = 14, "ATTR", "draft-dukes-ike-mode-cfg-02 §3.2";
        /// GDOI's SA KEK; NAT-D in drafts 04–08 of NAT-T (see [`crate::v1::Dialect`]).
        SA_KEK = 15, "SAK", "RFC 6407";
        /// GDOI's SA TEK; NAT-OA in drafts 04–08 of NAT-T.
        SA_TEK = 16, "SAT", "RFC 6407";
        /// GDOI's key download; NAT-D on some Cisco releases.
        KEY_DOWNLOAD = 17, "KD", "RFC 6407";
        SEQUENCE_NUMBER = 18, "SEQ", "RFC 6407";
        PROOF_OF_POSSESSION = 19, "POP", "RFC 3547";
        NAT_D = 20, "NAT-D", "RFC 3947 §3.2";
        NAT_OA = 21, "NAT-OA", "RFC 3947 §5.2";
        GROUP_ASSOCIATED_POLICY = 22, "GAP", "RFC 6407";
        /// Private use: NAT-D of NAT-T drafts 00–03.
        NAT_D_DRAFT = 130, "NAT-D (draft)", "draft-ietf-ipsec-nat-t-ike-03 §3.2";
        /// Private use: NAT-OA of NAT-T drafts 00–03.
        NAT_OA_DRAFT = 131, "NAT-OA (draft)", "draft-ietf-ipsec-nat-t-ike-03 §5.2";
        /// Private use: IKE fragment of Microsoft and Cisco.
        FRAGMENT = 132, "FRAG", "MS-IKEE §2.2.3.1";
    }

    /// The Domain of Interpretation that gives numbers their meaning.
    pub struct Doi(u32) {
        ISAKMP = 0, "ISAKMP", "RFC 2408 §3.4";
        IPSEC = 1, "IPSEC", "RFC 2407 §4.2";
        GDOI = 2, "GDOI", "RFC 6407";
    }

    /// ISAKMP transform identifier. The protocol of a proposal decides which of the four transform
    /// registries a number belongs to: see [`crate::v1::Transform::id_name`].
    pub struct IsakmpTransform(u8) {
        KEY_IKE = 1, "KEY_IKE", "RFC 2407 §4.4.2";
    }

    /// The transform of an AH proposal (RFC 2407 §4.4.3).
    pub struct AhTransform(u8) {
        MD5 = 2, "AH_MD5", "RFC 2407 §4.4.3";
        SHA = 3, "AH_SHA", "RFC 2407 §4.4.3";
        DES = 4, "AH_DES", "RFC 2407 §4.4.3";
        SHA2_256 = 5, "AH_SHA2-256", "RFC 4868";
        SHA2_384 = 6, "AH_SHA2-384", "RFC 4868";
        SHA2_512 = 7, "AH_SHA2-512", "RFC 4868";
        RIPEMD = 8, "AH_RIPEMD", "RFC 2857";
        AES_XCBC_MAC = 9, "AH_AES-XCBC-MAC", "RFC 3566";
        RSA = 10, "AH_RSA", "RFC 4359";
        AES_128_GMAC = 11, "AH_AES-128-GMAC", "RFC 4543";
        AES_192_GMAC = 12, "AH_AES-192-GMAC", "RFC 4543";
        AES_256_GMAC = 13, "AH_AES-256-GMAC", "RFC 4543";
    }

    /// The transform of an ESP proposal (RFC 2407 §4.4.4).
    pub struct EspTransform(u8) {
        DES_IV64 = 1, "ESP_DES_IV64", "RFC 2407 §4.4.4";
        DES = 2, "ESP_DES", "RFC 2407 §4.4.4";
        TRIPLE_DES = 3, "ESP_3DES", "RFC 2407 §4.4.4";
        RC5 = 4, "ESP_RC5", "RFC 2407 §4.4.4";
        IDEA = 5, "ESP_IDEA", "RFC 2407 §4.4.4";
        CAST = 6, "ESP_CAST", "RFC 2407 §4.4.4";
        BLOWFISH = 7, "ESP_BLOWFISH", "RFC 2407 §4.4.4";
        TRIPLE_IDEA = 8, "ESP_3IDEA", "RFC 2407 §4.4.4";
        DES_IV32 = 9, "ESP_DES_IV32", "RFC 2407 §4.4.4";
        RC4 = 10, "ESP_RC4", "RFC 2407 §4.4.4";
        NULL = 11, "ESP_NULL", "RFC 2407 §4.4.4";
        AES_CBC = 12, "ESP_AES-CBC", "RFC 3602";
        AES_CTR = 13, "ESP_AES-CTR", "RFC 3686";
        AES_CCM_8 = 14, "ESP_AES-CCM_8", "RFC 4309";
        AES_CCM_12 = 15, "ESP_AES-CCM_12", "RFC 4309";
        AES_CCM_16 = 16, "ESP_AES-CCM_16", "RFC 4309";
        AES_GCM_8 = 18, "ESP_AES-GCM_8", "RFC 4106";
        AES_GCM_12 = 19, "ESP_AES-GCM_12", "RFC 4106";
        AES_GCM_16 = 20, "ESP_AES-GCM_16", "RFC 4106";
        SEED_CBC = 21, "ESP_SEED_CBC", "RFC 4196";
        CAMELLIA = 22, "ESP_CAMELLIA", "RFC 4312";
        NULL_AUTH_AES_GMAC = 23, "ESP_NULL_AUTH_AES-GMAC", "RFC 4543";
    }

    /// The transform of an IPCOMP proposal (RFC 2407 §4.4.5).
    pub struct IpcompTransform(u8) {
        OUI = 1, "IPCOMP_OUI", "RFC 2407 §4.4.5";
        DEFLATE = 2, "IPCOMP_DEFLATE", "RFC 2407 §4.4.5";
        LZS = 3, "IPCOMP_LZS", "RFC 2407 §4.4.5";
        LZJH = 4, "IPCOMP_LZJH", "RFC 3051";
    }

    /// Attribute class of a phase 1 (`KEY_IKE`) transform.
    pub struct Phase1Class(u16) {
        ENCRYPTION_ALGORITHM = 1, "Encryption Algorithm", "RFC 2409 App. A";
        HASH_ALGORITHM = 2, "Hash Algorithm", "RFC 2409 App. A";
        AUTHENTICATION_METHOD = 3, "Authentication Method", "RFC 2409 App. A";
        GROUP_DESCRIPTION = 4, "Group Description", "RFC 2409 App. A";
        GROUP_TYPE = 5, "Group Type", "RFC 2409 App. A";
        GROUP_PRIME = 6, "Group Prime/Irreducible Polynomial", "RFC 2409 App. A";
        GROUP_GENERATOR_ONE = 7, "Group Generator One", "RFC 2409 App. A";
        GROUP_GENERATOR_TWO = 8, "Group Generator Two", "RFC 2409 App. A";
        GROUP_CURVE_A = 9, "Group Curve A", "RFC 2409 App. A";
        GROUP_CURVE_B = 10, "Group Curve B", "RFC 2409 App. A";
        LIFE_TYPE = 11, "Life Type", "RFC 2409 App. A";
        LIFE_DURATION = 12, "Life Duration", "RFC 2409 App. A";
        PRF = 13, "PRF", "RFC 2409 App. A";
        KEY_LENGTH = 14, "Key Length", "RFC 2409 App. A";
        FIELD_SIZE = 15, "Field Size", "RFC 2409 App. A";
        GROUP_ORDER = 16, "Group Order", "RFC 2409 App. A";
    }

    /// Attribute class of a phase 2 (AH, ESP, IPCOMP) transform.
    pub struct Phase2Class(u16) {
        SA_LIFE_TYPE = 1, "SA Life Type", "RFC 2407 §4.5";
        SA_LIFE_DURATION = 2, "SA Life Duration", "RFC 2407 §4.5";
        GROUP_DESCRIPTION = 3, "Group Description", "RFC 2407 §4.5";
        ENCAPSULATION_MODE = 4, "Encapsulation Mode", "RFC 2407 §4.5";
        AUTHENTICATION_ALGORITHM = 5, "Authentication Algorithm", "RFC 2407 §4.5";
        KEY_LENGTH = 6, "Key Length", "RFC 2407 §4.5";
        KEY_ROUNDS = 7, "Key Rounds", "RFC 2407 §4.5";
        COMPRESS_DICTIONARY_SIZE = 8, "Compress Dictionary Size", "RFC 2407 §4.5";
        COMPRESS_PRIVATE_ALGORITHM = 9, "Compress Private Algorithm", "RFC 2407 §4.5";
        ECN_TUNNEL = 10, "ECN Tunnel", "RFC 3168 §9.2.1";
        EXTENDED_SEQUENCE_NUMBER = 11, "Extended (64-bit) Sequence Number", "RFC 4304";
        AUTHENTICATION_KEY_LENGTH = 12, "Authentication Key Length", "RFC 4359";
        SIGNATURE_ENCODING_ALGORITHM = 13, "Signature Encoding Algorithm", "RFC 4359";
        ADDRESS_PRESERVATION = 14, "Address Preservation", "RFC 6407";
        SA_DIRECTION = 15, "SA Direction", "RFC 6407";
    }

    /// Phase 1 encryption algorithm.
    pub struct EncryptionAlgorithm(u16) {
        DES_CBC = 1, "DES-CBC", "RFC 2405";
        IDEA_CBC = 2, "IDEA-CBC", "RFC 2409 App. A";
        BLOWFISH_CBC = 3, "Blowfish-CBC", "RFC 2409 App. A";
        RC5_R16_B64_CBC = 4, "RC5-R16-B64-CBC", "RFC 2409 App. A";
        TRIPLE_DES_CBC = 5, "3DES-CBC", "RFC 2409 App. A";
        CAST_CBC = 6, "CAST-CBC", "RFC 2409 App. A";
        AES_CBC = 7, "AES-CBC", "RFC 3602";
        CAMELLIA_CBC = 8, "CAMELLIA-CBC", "RFC 4312";
    }

    /// Phase 1 hash algorithm; its HMAC is the PRF unless one is negotiated.
    pub struct HashAlgorithm(u16) {
        MD5 = 1, "MD5", "RFC 1321";
        SHA = 2, "SHA", "RFC 2409 App. A";
        TIGER = 3, "Tiger", "RFC 2409 App. A";
        SHA2_256 = 4, "SHA2-256", "RFC 4868";
        SHA2_384 = 5, "SHA2-384", "RFC 4868";
        SHA2_512 = 6, "SHA2-512", "RFC 4868";
    }

    /// Phase 1 authentication method.
    pub struct AuthenticationMethod(u16) {
        PRE_SHARED_KEY = 1, "pre-shared key", "RFC 2409 App. A";
        DSS_SIGNATURES = 2, "DSS signatures", "RFC 2409 App. A";
        RSA_SIGNATURES = 3, "RSA signatures", "RFC 2409 App. A";
        RSA_ENCRYPTION = 4, "Encryption with RSA", "RFC 2409 App. A";
        RSA_REVISED_ENCRYPTION = 5, "Revised encryption with RSA", "RFC 2409 App. A";
        ECDSA_SHA256_P256 = 9, "ECDSA with SHA-256 on the P-256 curve", "RFC 4754";
        ECDSA_SHA384_P384 = 10, "ECDSA with SHA-384 on the P-384 curve", "RFC 4754";
        ECDSA_SHA512_P521 = 11, "ECDSA with SHA-512 on the P-521 curve", "RFC 4754";
        HYBRID_INIT_RSA = 64221, "HybridInitRSA", "draft-ietf-ipsec-isakmp-hybrid-auth-05 §3.2.1";
        HYBRID_RESP_RSA = 64222, "HybridRespRSA", "draft-ietf-ipsec-isakmp-hybrid-auth-05 §3.2.1";
        HYBRID_INIT_DSS = 64223, "HybridInitDSS", "draft-ietf-ipsec-isakmp-hybrid-auth-05 §3.2.1";
        HYBRID_RESP_DSS = 64224, "HybridRespDSS", "draft-ietf-ipsec-isakmp-hybrid-auth-05 §3.2.1";
        XAUTH_INIT_PRE_SHARED = 65001, "XAUTHInitPreShared", "draft-beaulieu-ike-xauth-02 §7.2";
        XAUTH_RESP_PRE_SHARED = 65002, "XAUTHRespPreShared", "draft-beaulieu-ike-xauth-02 §7.2";
        XAUTH_INIT_DSS = 65003, "XAUTHInitDSS", "draft-beaulieu-ike-xauth-02 §7.2";
        XAUTH_RESP_DSS = 65004, "XAUTHRespDSS", "draft-beaulieu-ike-xauth-02 §7.2";
        XAUTH_INIT_RSA = 65005, "XAUTHInitRSA", "draft-beaulieu-ike-xauth-02 §7.2";
        XAUTH_RESP_RSA = 65006, "XAUTHRespRSA", "draft-beaulieu-ike-xauth-02 §7.2";
        XAUTH_INIT_RSA_ENCRYPTION = 65007, "XAUTHInitRSAEncryption", "draft-beaulieu-ike-xauth-02 §7.2";
        XAUTH_RESP_RSA_ENCRYPTION = 65008, "XAUTHRespRSAEncryption", "draft-beaulieu-ike-xauth-02 §7.2";
        XAUTH_INIT_RSA_REVISED_ENCRYPTION = 65009, "XAUTHInitRSARevisedEncryption", "draft-beaulieu-ike-xauth-02 §7.2";
        XAUTH_RESP_RSA_REVISED_ENCRYPTION = 65010, "XAUTHRespRSARevisedEncryption", "draft-beaulieu-ike-xauth-02 §7.2";
    }

    /// Group description, of phase 1 and of phase 2 with PFS.
    pub struct GroupDescription(u16) {
        MODP_768 = 1, "MODP_768", "RFC 2409 §6.1";
        MODP_1024 = 2, "MODP_1024", "RFC 2409 §6.2";
        EC2N_155 = 3, "EC2N_155", "RFC 2409 §6.3";
        EC2N_185 = 4, "EC2N_185", "RFC 2409 §6.4";
        MODP_1536 = 5, "MODP_1536", "RFC 3526 §2";
        MODP_2048 = 14, "MODP_2048", "RFC 3526 §3";
        MODP_3072 = 15, "MODP_3072", "RFC 3526 §4";
        MODP_4096 = 16, "MODP_4096", "RFC 3526 §5";
        MODP_6144 = 17, "MODP_6144", "RFC 3526 §6";
        MODP_8192 = 18, "MODP_8192", "RFC 3526 §7";
        ECP_256 = 19, "ECP_256", "RFC 5903";
        ECP_384 = 20, "ECP_384", "RFC 5903";
        ECP_521 = 21, "ECP_521", "RFC 5903";
        MODP_1024_160 = 22, "MODP_1024_160", "RFC 5114 §2.1";
        MODP_2048_224 = 23, "MODP_2048_224", "RFC 5114 §2.2";
        MODP_2048_256 = 24, "MODP_2048_256", "RFC 5114 §2.3";
        ECP_192 = 25, "ECP_192", "RFC 5114 §2.4";
        ECP_224 = 26, "ECP_224", "RFC 5114 §2.5";
        BRAINPOOL_224 = 27, "brainpoolP224r1", "RFC 6932 §2.1";
        BRAINPOOL_256 = 28, "brainpoolP256r1", "RFC 6932 §2.2";
        BRAINPOOL_384 = 29, "brainpoolP384r1", "RFC 6932 §2.3";
        BRAINPOOL_512 = 30, "brainpoolP512r1", "RFC 6932 §2.4";
    }

    /// Group type of new group mode.
    pub struct GroupType(u16) {
        MODP = 1, "MODP", "RFC 2409 App. A";
        ECP = 2, "ECP", "RFC 2409 App. A";
        EC2N = 3, "EC2N", "RFC 2409 App. A";
    }

    /// Unit of the life duration that follows it.
    pub struct LifeType(u16) {
        SECONDS = 1, "seconds", "RFC 2407 §4.5";
        KILOBYTES = 2, "kilobytes", "RFC 2407 §4.5";
    }

    /// Encapsulation mode of a phase 2 transform.
    pub struct EncapsulationMode(u16) {
        TUNNEL = 1, "Tunnel", "RFC 2407 §4.5";
        TRANSPORT = 2, "Transport", "RFC 2407 §4.5";
        UDP_TUNNEL = 3, "UDP-Encapsulated-Tunnel", "RFC 3947 §5.1";
        UDP_TRANSPORT = 4, "UDP-Encapsulated-Transport", "RFC 3947 §5.1";
        UDP_TUNNEL_DRAFT = 61443, "UDP-Encapsulated-Tunnel (draft)", "draft-ietf-ipsec-nat-t-ike-03 §5.1";
        UDP_TRANSPORT_DRAFT = 61444, "UDP-Encapsulated-Transport (draft)", "draft-ietf-ipsec-nat-t-ike-03 §5.1";
    }

    /// Authentication (integrity) algorithm of a phase 2 transform.
    pub struct AuthenticationAlgorithm(u16) {
        HMAC_MD5 = 1, "HMAC-MD5", "RFC 2407 §4.5";
        HMAC_SHA = 2, "HMAC-SHA", "RFC 2407 §4.5";
        DES_MAC = 3, "DES-MAC", "RFC 2407 §4.5";
        KPDK = 4, "KPDK", "RFC 2407 §4.5";
        HMAC_SHA2_256 = 5, "HMAC-SHA2-256", "RFC 4868";
        HMAC_SHA2_384 = 6, "HMAC-SHA2-384", "RFC 4868";
        HMAC_SHA2_512 = 7, "HMAC-SHA2-512", "RFC 4868";
        HMAC_RIPEMD = 8, "HMAC-RIPEMD", "RFC 2857";
        AES_XCBC_MAC = 9, "AES-XCBC-MAC", "RFC 3566";
        SIG_RSA = 10, "SIG-RSA", "RFC 4359";
        AES_128_GMAC = 11, "AES-128-GMAC", "RFC 4543";
        AES_192_GMAC = 12, "AES-192-GMAC", "RFC 4543";
        AES_256_GMAC = 13, "AES-256-GMAC", "RFC 4543";
    }

    /// ECN Tunnel attribute value.
    pub struct EcnTunnel(u16) {
        ALLOWED = 1, "Allowed", "RFC 3168 §9.2.1";
        FORBIDDEN = 2, "Forbidden", "RFC 3168 §9.2.1";
    }

    /// What kind of identity an ID payload bears.
    pub struct IdType(u8) {
        IPV4_ADDR = 1, "ID_IPV4_ADDR", "RFC 2407 §4.6.2.2";
        FQDN = 2, "ID_FQDN", "RFC 2407 §4.6.2.3";
        USER_FQDN = 3, "ID_USER_FQDN", "RFC 2407 §4.6.2.4";
        IPV4_ADDR_SUBNET = 4, "ID_IPV4_ADDR_SUBNET", "RFC 2407 §4.6.2.5";
        IPV6_ADDR = 5, "ID_IPV6_ADDR", "RFC 2407 §4.6.2.6";
        IPV6_ADDR_SUBNET = 6, "ID_IPV6_ADDR_SUBNET", "RFC 2407 §4.6.2.7";
        IPV4_ADDR_RANGE = 7, "ID_IPV4_ADDR_RANGE", "RFC 2407 §4.6.2.8";
        IPV6_ADDR_RANGE = 8, "ID_IPV6_ADDR_RANGE", "RFC 2407 §4.6.2.9";
        DER_ASN1_DN = 9, "ID_DER_ASN1_DN", "RFC 2407 §4.6.2.10";
        DER_ASN1_GN = 10, "ID_DER_ASN1_GN", "RFC 2407 §4.6.2.11";
        KEY_ID = 11, "ID_KEY_ID", "RFC 2407 §4.6.2.12";
        LIST = 12, "ID_LIST", "RFC 3554 §3";
    }

    /// What an N payload reports.
    pub struct NotifyType(u16) {
        INVALID_PAYLOAD_TYPE = 1, "INVALID-PAYLOAD-TYPE", "RFC 2408 §3.14.1";
        DOI_NOT_SUPPORTED = 2, "DOI-NOT-SUPPORTED", "RFC 2408 §3.14.1";
        SITUATION_NOT_SUPPORTED = 3, "SITUATION-NOT-SUPPORTED", "RFC 2408 §3.14.1";
        INVALID_COOKIE = 4, "INVALID-COOKIE", "RFC 2408 §3.14.1";
        INVALID_MAJOR_VERSION = 5, "INVALID-MAJOR-VERSION", "RFC 2408 §3.14.1";
        INVALID_MINOR_VERSION = 6, "INVALID-MINOR-VERSION", "RFC 2408 §3.14.1";
        INVALID_EXCHANGE_TYPE = 7, "INVALID-EXCHANGE-TYPE", "RFC 2408 §3.14.1";
        INVALID_FLAGS = 8, "INVALID-FLAGS", "RFC 2408 §3.14.1";
        INVALID_MESSAGE_ID = 9, "INVALID-MESSAGE-ID", "RFC 2408 §3.14.1";
        INVALID_PROTOCOL_ID = 10, "INVALID-PROTOCOL-ID", "RFC 2408 §3.14.1";
        INVALID_SPI = 11, "INVALID-SPI", "RFC 2408 §3.14.1";
        INVALID_TRANSFORM_ID = 12, "INVALID-TRANSFORM-ID", "RFC 2408 §3.14.1";
        ATTRIBUTES_NOT_SUPPORTED = 13, "ATTRIBUTES-NOT-SUPPORTED", "RFC 2408 §3.14.1";
        NO_PROPOSAL_CHOSEN = 14, "NO-PROPOSAL-CHOSEN", "RFC 2408 §3.14.1";
        BAD_PROPOSAL_SYNTAX = 15, "BAD-PROPOSAL-SYNTAX", "RFC 2408 §3.14.1";
        PAYLOAD_MALFORMED = 16, "PAYLOAD-MALFORMED", "RFC 2408 §3.14.1";
        INVALID_KEY_INFORMATION = 17, "INVALID-KEY-INFORMATION", "RFC 2408 §3.14.1";
        INVALID_ID_INFORMATION = 18, "INVALID-ID-INFORMATION", "RFC 2408 §3.14.1";
        INVALID_CERT_ENCODING = 19, "INVALID-CERT-ENCODING", "RFC 2408 §3.14.1";
        INVALID_CERTIFICATE = 20, "INVALID-CERTIFICATE", "RFC 2408 §3.14.1";
        CERT_TYPE_UNSUPPORTED = 21, "CERT-TYPE-UNSUPPORTED", "RFC 2408 §3.14.1";
        INVALID_CERT_AUTHORITY = 22, "INVALID-CERT-AUTHORITY", "RFC 2408 §3.14.1";
        INVALID_HASH_INFORMATION = 23, "INVALID-HASH-INFORMATION", "RFC 2408 §3.14.1";
        AUTHENTICATION_FAILED = 24, "AUTHENTICATION-FAILED", "RFC 2408 §3.14.1";
        INVALID_SIGNATURE = 25, "INVALID-SIGNATURE", "RFC 2408 §3.14.1";
        ADDRESS_NOTIFICATION = 26, "ADDRESS-NOTIFICATION", "RFC 2408 §3.14.1";
        NOTIFY_SA_LIFETIME = 27, "NOTIFY-SA-LIFETIME", "RFC 2408 §3.14.1";
        CERTIFICATE_UNAVAILABLE = 28, "CERTIFICATE-UNAVAILABLE", "RFC 2408 §3.14.1";
        UNSUPPORTED_EXCHANGE_TYPE = 29, "UNSUPPORTED-EXCHANGE-TYPE", "RFC 2408 §3.14.1";
        UNEQUAL_PAYLOAD_LENGTHS = 30, "UNEQUAL-PAYLOAD-LENGTHS", "RFC 2408 §3.14.1";
        CONNECTED = 16384, "CONNECTED", "RFC 2408 §3.14.1";
        RESPONDER_LIFETIME = 24576, "RESPONDER-LIFETIME", "RFC 2407 §4.6.3.1";
        REPLAY_STATUS = 24577, "REPLAY-STATUS", "RFC 2407 §4.6.3.2";
        INITIAL_CONTACT = 24578, "INITIAL-CONTACT", "RFC 2407 §4.6.3.3";
        R_U_THERE = 36136, "R-U-THERE", "RFC 3706 §5.3";
        R_U_THERE_ACK = 36137, "R-U-THERE-ACK", "RFC 3706 §5.3";
        /// Cisco Unity: the gateway names another gateway (private use).
        UNITY_LOAD_BALANCE = 40501, "UNITY-LOAD-BALANCE", "Cisco Unity";
    }

    /// Certificate encoding of CERT and CR payloads.
    pub struct CertEncoding(u8) {
        NONE = 0, "NONE", "RFC 2408 §3.9";
        PKCS7_X509 = 1, "PKCS #7 wrapped X.509 certificate", "RFC 2408 §3.9";
        PGP = 2, "PGP Certificate", "RFC 2408 §3.9";
        DNS_SIGNED_KEY = 3, "DNS Signed Key", "RFC 2408 §3.9";
        X509_SIGNATURE = 4, "X.509 Certificate - Signature", "RFC 2408 §3.9";
        X509_KEY_EXCHANGE = 5, "X.509 Certificate - Key Exchange", "RFC 2408 §3.9";
        KERBEROS_TOKENS = 6, "Kerberos Tokens", "RFC 2408 §3.9";
        CRL = 7, "Certificate Revocation List (CRL)", "RFC 2408 §3.9";
        ARL = 8, "Authority Revocation List (ARL)", "RFC 2408 §3.9";
        SPKI = 9, "SPKI Certificate", "RFC 2408 §3.9";
        X509_ATTRIBUTE = 10, "X.509 Certificate - Attribute", "RFC 2408 §3.9";
    }

    /// Type of a mode-config message.
    pub struct ConfigType(u8) {
        REQUEST = 1, "ISAKMP_CFG_REQUEST", "draft-dukes-ike-mode-cfg-02 §3.3";
        REPLY = 2, "ISAKMP_CFG_REPLY", "draft-dukes-ike-mode-cfg-02 §3.3";
        SET = 3, "ISAKMP_CFG_SET", "draft-dukes-ike-mode-cfg-02 §3.3";
        ACK = 4, "ISAKMP_CFG_ACK", "draft-dukes-ike-mode-cfg-02 §3.3";
    }

    /// Attribute of a mode-config message, with XAUTH's and Cisco Unity's private ones.
    pub struct ConfigAttribute(u16) {
        INTERNAL_IP4_ADDRESS = 1, "INTERNAL_IP4_ADDRESS", "draft-dukes-ike-mode-cfg-02 §3.4";
        INTERNAL_IP4_NETMASK = 2, "INTERNAL_IP4_NETMASK", "draft-dukes-ike-mode-cfg-02 §3.4";
        INTERNAL_IP4_DNS = 3, "INTERNAL_IP4_DNS", "draft-dukes-ike-mode-cfg-02 §3.4";
        INTERNAL_IP4_NBNS = 4, "INTERNAL_IP4_NBNS", "draft-dukes-ike-mode-cfg-02 §3.4";
        INTERNAL_ADDRESS_EXPIRY = 5, "INTERNAL_ADDRESS_EXPIRY", "draft-dukes-ike-mode-cfg-02 §3.4";
        INTERNAL_IP4_DHCP = 6, "INTERNAL_IP4_DHCP", "draft-dukes-ike-mode-cfg-02 §3.4";
        APPLICATION_VERSION = 7, "APPLICATION_VERSION", "draft-dukes-ike-mode-cfg-02 §3.4";
        INTERNAL_IP6_ADDRESS = 8, "INTERNAL_IP6_ADDRESS", "draft-dukes-ike-mode-cfg-02 §3.4";
        INTERNAL_IP6_NETMASK = 9, "INTERNAL_IP6_NETMASK", "draft-dukes-ike-mode-cfg-02 §3.4";
        INTERNAL_IP6_DNS = 10, "INTERNAL_IP6_DNS", "draft-dukes-ike-mode-cfg-02 §3.4";
        INTERNAL_IP6_NBNS = 11, "INTERNAL_IP6_NBNS", "draft-dukes-ike-mode-cfg-02 §3.4";
        INTERNAL_IP6_DHCP = 12, "INTERNAL_IP6_DHCP", "draft-dukes-ike-mode-cfg-02 §3.4";
        INTERNAL_IP4_SUBNET = 13, "INTERNAL_IP4_SUBNET", "draft-dukes-ike-mode-cfg-02 §3.4";
        SUPPORTED_ATTRIBUTES = 14, "SUPPORTED_ATTRIBUTES", "draft-dukes-ike-mode-cfg-02 §3.4";
        INTERNAL_IP6_SUBNET = 15, "INTERNAL_IP6_SUBNET", "draft-dukes-ike-mode-cfg-02 §3.4";
        XAUTH_TYPE = 16520, "XAUTH-TYPE", "draft-beaulieu-ike-xauth-02 §6.2";
        XAUTH_USER_NAME = 16521, "XAUTH-USER-NAME", "draft-beaulieu-ike-xauth-02 §6.2";
        XAUTH_USER_PASSWORD = 16522, "XAUTH-USER-PASSWORD", "draft-beaulieu-ike-xauth-02 §6.2";
        XAUTH_PASSCODE = 16523, "XAUTH-PASSCODE", "draft-beaulieu-ike-xauth-02 §6.2";
        XAUTH_MESSAGE = 16524, "XAUTH-MESSAGE", "draft-beaulieu-ike-xauth-02 §6.2";
        XAUTH_CHALLENGE = 16525, "XAUTH-CHALLENGE", "draft-beaulieu-ike-xauth-02 §6.2";
        XAUTH_DOMAIN = 16526, "XAUTH-DOMAIN", "draft-beaulieu-ike-xauth-02 §6.2";
        XAUTH_STATUS = 16527, "XAUTH-STATUS", "draft-beaulieu-ike-xauth-02 §6.2";
        XAUTH_NEXT_PIN = 16528, "XAUTH-NEXT-PIN", "draft-beaulieu-ike-xauth-02 §6.2";
        XAUTH_ANSWER = 16529, "XAUTH-ANSWER", "draft-beaulieu-ike-xauth-02 §6.2";
        UNITY_BANNER = 28672, "UNITY_BANNER", "Cisco Unity";
        UNITY_SAVE_PASSWD = 28673, "UNITY_SAVE_PASSWD", "Cisco Unity";
        UNITY_DEF_DOMAIN = 28674, "UNITY_DEF_DOMAIN", "Cisco Unity";
        UNITY_SPLITDNS_NAME = 28675, "UNITY_SPLITDNS_NAME", "Cisco Unity";
        UNITY_SPLIT_INCLUDE = 28676, "UNITY_SPLIT_INCLUDE", "Cisco Unity";
        UNITY_NATT_PORT = 28677, "UNITY_NATT_PORT", "Cisco Unity";
        UNITY_LOCAL_LAN = 28678, "UNITY_LOCAL_LAN", "Cisco Unity";
        UNITY_PFS = 28679, "UNITY_PFS", "Cisco Unity";
        UNITY_FW_TYPE = 28680, "UNITY_FW_TYPE", "Cisco Unity";
        UNITY_BACKUP_SERVERS = 28681, "UNITY_BACKUP_SERVERS", "Cisco Unity";
        UNITY_DDNS_HOSTNAME = 28682, "UNITY_DDNS_HOSTNAME", "Cisco Unity";
    }

    /// What a gateway asks a user for: the value of `XAUTH-TYPE`.
    pub struct XauthType(u16) {
        GENERIC = 0, "Generic", "draft-beaulieu-ike-xauth-02 §6.3";
        RADIUS_CHAP = 1, "RADIUS-CHAP", "draft-beaulieu-ike-xauth-02 §6.3";
        OTP = 2, "OTP", "draft-beaulieu-ike-xauth-02 §6.3";
        S_KEY = 3, "S/KEY", "draft-beaulieu-ike-xauth-02 §6.3";
    }
}

impl NotifyType {
    /// Error types are below 16384, status types above (RFC 2408 §3.14.1).
    #[must_use]
    pub const fn is_error(self) -> bool {
        self.0 < 16384
    }
}

impl EncapsulationMode {
    /// Tunnel mode in any of its three numberings.
    #[must_use]
    pub const fn is_tunnel(self) -> bool {
        matches!(
            self,
            Self::TUNNEL | Self::UDP_TUNNEL | Self::UDP_TUNNEL_DRAFT
        )
    }

    /// Transport mode in any of its three numberings.
    #[must_use]
    pub const fn is_transport(self) -> bool {
        matches!(
            self,
            Self::TRANSPORT | Self::UDP_TRANSPORT | Self::UDP_TRANSPORT_DRAFT
        )
    }

    /// ESP travels in UDP (RFC 3948).
    #[must_use]
    pub const fn is_udp(self) -> bool {
        matches!(
            self,
            Self::UDP_TUNNEL
                | Self::UDP_TRANSPORT
                | Self::UDP_TUNNEL_DRAFT
                | Self::UDP_TRANSPORT_DRAFT
        )
    }
}
