//! IKEv2: the numbers of IANA's "Internet Key Exchange Version 2 (IKEv2) Parameters".

registry! {
    /// Next Payload number of an IKEv2 message.
    pub struct PayloadType(u8) {
        NONE = 0, "NONE", "RFC 7296";
        SA = 33, "SA", "RFC 7296";
        KEY_EXCHANGE = 34, "KE", "RFC 7296";
        ID_INITIATOR = 35, "IDi", "RFC 7296";
        ID_RESPONDER = 36, "IDr", "RFC 7296";
        CERTIFICATE = 37, "CERT", "RFC 7296";
        CERTIFICATE_REQUEST = 38, "CERTREQ", "RFC 7296";
        AUTHENTICATION = 39, "AUTH", "RFC 7296";
        NONCE = 40, "Nonce", "RFC 7296";
        NOTIFY = 41, "N", "RFC 7296";
        DELETE = 42, "D", "RFC 7296";
        VENDOR_ID = 43, "V", "RFC 7296";
        TS_INITIATOR = 44, "TSi", "RFC 7296";
        TS_RESPONDER = 45, "TSr", "RFC 7296";
        ENCRYPTED = 46, "SK", "RFC 7296";
        CONFIGURATION = 47, "CP", "RFC 7296";
        EAP = 48, "EAP", "RFC 7296";
        GSPM = 49, "GSPM", "RFC 6467";
        ID_GROUP = 50, "IDg", "RFC 9838";
        GROUP_SA = 51, "GSA", "RFC 9838";
        KEY_DOWNLOAD = 52, "KD", "RFC 9838";
        ENCRYPTED_FRAGMENT = 53, "SKF", "RFC 7383";
        PUZZLE_SOLUTION = 54, "PS", "RFC 8019";
    }

    /// Type of a transform (RFC 9370 renamed type 4, RFC 9827 type 5).
    pub struct TransformType(u8) {
        ENCRYPTION = 1, "ENCR", "RFC 7296";
        PRF = 2, "PRF", "RFC 7296";
        INTEGRITY = 3, "INTEG", "RFC 7296";
        KEY_EXCHANGE = 4, "KE", "RFC 7296";
        SEQUENCE_NUMBERS = 5, "ESN", "RFC 7296";
        ADDITIONAL_KEY_EXCHANGE_1 = 6, "ADDKE1", "RFC 9370";
        ADDITIONAL_KEY_EXCHANGE_2 = 7, "ADDKE2", "RFC 9370";
        ADDITIONAL_KEY_EXCHANGE_3 = 8, "ADDKE3", "RFC 9370";
        ADDITIONAL_KEY_EXCHANGE_4 = 9, "ADDKE4", "RFC 9370";
        ADDITIONAL_KEY_EXCHANGE_5 = 10, "ADDKE5", "RFC 9370";
        ADDITIONAL_KEY_EXCHANGE_6 = 11, "ADDKE6", "RFC 9370";
        ADDITIONAL_KEY_EXCHANGE_7 = 12, "ADDKE7", "RFC 9370";
        KEY_WRAP = 13, "KWA", "RFC 9838";
        GROUP_CONTROLLER_AUTHENTICATION = 14, "GCAUTH", "RFC 9838";
    }

    /// Transform type 1: encryption algorithm. Numbers 14 to 20 and 28 carry their own integrity.
    pub struct EncryptionId(u16) {
        DES_IV64 = 1, "ENCR_DES_IV64", "RFC 9395";
        DES = 2, "ENCR_DES", "RFC 8247";
        TRIPLE_DES = 3, "ENCR_3DES", "RFC 2451";
        RC5 = 4, "ENCR_RC5", "RFC 9395";
        IDEA = 5, "ENCR_IDEA", "RFC 9395";
        CAST = 6, "ENCR_CAST", "RFC 9395";
        BLOWFISH = 7, "ENCR_BLOWFISH", "RFC 9395";
        TRIPLE_IDEA = 8, "ENCR_3IDEA", "RFC 9395";
        DES_IV32 = 9, "ENCR_DES_IV32", "RFC 9395";
        NULL = 11, "ENCR_NULL", "RFC 2410";
        AES_CBC = 12, "ENCR_AES_CBC", "RFC 3602";
        AES_CTR = 13, "ENCR_AES_CTR", "RFC 3686";
        AES_CCM_8 = 14, "ENCR_AES_CCM_8", "RFC 4309";
        AES_CCM_12 = 15, "ENCR_AES_CCM_12", "RFC 4309";
        AES_CCM_16 = 16, "ENCR_AES_CCM_16", "RFC 4309";
        AES_GCM_8 = 18, "ENCR_AES_GCM_8", "RFC 4106";
        AES_GCM_12 = 19, "ENCR_AES_GCM_12", "RFC 4106";
        AES_GCM_16 = 20, "ENCR_AES_GCM_16", "RFC 4106";
        NULL_AUTH_AES_GMAC = 21, "ENCR_NULL_AUTH_AES_GMAC", "RFC 4543";
        CAMELLIA_CBC = 23, "ENCR_CAMELLIA_CBC", "RFC 5529";
        CAMELLIA_CTR = 24, "ENCR_CAMELLIA_CTR", "RFC 5529";
        CAMELLIA_CCM_8 = 25, "ENCR_CAMELLIA_CCM_8", "RFC 5529";
        CAMELLIA_CCM_12 = 26, "ENCR_CAMELLIA_CCM_12", "RFC 5529";
        CAMELLIA_CCM_16 = 27, "ENCR_CAMELLIA_CCM_16", "RFC 5529";
        CHACHA20_POLY1305 = 28, "ENCR_CHACHA20_POLY1305", "RFC 7634";
        AES_CCM_8_IIV = 29, "ENCR_AES_CCM_8_IIV", "RFC 8750";
        AES_GCM_16_IIV = 30, "ENCR_AES_GCM_16_IIV", "RFC 8750";
        CHACHA20_POLY1305_IIV = 31, "ENCR_CHACHA20_POLY1305_IIV", "RFC 8750";
        KUZNYECHIK_MGM_KTREE = 32, "ENCR_KUZNYECHIK_MGM_KTREE", "RFC 9227";
        MAGMA_MGM_KTREE = 33, "ENCR_MAGMA_MGM_KTREE", "RFC 9227";
        KUZNYECHIK_MGM_MAC_KTREE = 34, "ENCR_KUZNYECHIK_MGM_MAC_KTREE", "RFC 9227";
        MAGMA_MGM_MAC_KTREE = 35, "ENCR_MAGMA_MGM_MAC_KTREE", "RFC 9227";
    }

    /// Transform type 2: pseudo-random function.
    pub struct PrfId(u16) {
        HMAC_MD5 = 1, "PRF_HMAC_MD5", "RFC 2104";
        HMAC_SHA1 = 2, "PRF_HMAC_SHA1", "RFC 2104";
        HMAC_TIGER = 3, "PRF_HMAC_TIGER", "RFC 9395";
        AES128_XCBC = 4, "PRF_AES128_XCBC", "RFC 4434";
        HMAC_SHA2_256 = 5, "PRF_HMAC_SHA2_256", "RFC 4868";
        HMAC_SHA2_384 = 6, "PRF_HMAC_SHA2_384", "RFC 4868";
        HMAC_SHA2_512 = 7, "PRF_HMAC_SHA2_512", "RFC 4868";
        AES128_CMAC = 8, "PRF_AES128_CMAC", "RFC 4615";
        HMAC_STREEBOG_512 = 9, "PRF_HMAC_STREEBOG_512", "RFC 9385";
    }

    /// Transform type 3: integrity algorithm.
    pub struct IntegrityId(u16) {
        NONE = 0, "NONE", "RFC 7296";
        HMAC_MD5_96 = 1, "AUTH_HMAC_MD5_96", "RFC 7296";
        HMAC_SHA1_96 = 2, "AUTH_HMAC_SHA1_96", "RFC 7296";
        DES_MAC = 3, "AUTH_DES_MAC", "RFC 8247";
        KPDK_MD5 = 4, "AUTH_KPDK_MD5", "RFC 8247";
        AES_XCBC_96 = 5, "AUTH_AES_XCBC_96", "RFC 7296";
        HMAC_MD5_128 = 6, "AUTH_HMAC_MD5_128", "RFC 4595";
        HMAC_SHA1_160 = 7, "AUTH_HMAC_SHA1_160", "RFC 4595";
        AES_CMAC_96 = 8, "AUTH_AES_CMAC_96", "RFC 4494";
        AES_128_GMAC = 9, "AUTH_AES_128_GMAC", "RFC 4543";
        AES_192_GMAC = 10, "AUTH_AES_192_GMAC", "RFC 4543";
        AES_256_GMAC = 11, "AUTH_AES_256_GMAC", "RFC 4543";
        HMAC_SHA2_256_128 = 12, "AUTH_HMAC_SHA2_256_128", "RFC 4868";
        HMAC_SHA2_384_192 = 13, "AUTH_HMAC_SHA2_384_192", "RFC 4868";
        HMAC_SHA2_512_256 = 14, "AUTH_HMAC_SHA2_512_256", "RFC 4868";
    }

    /// Transform type 4, and 6 to 12: key exchange method.
    pub struct KeyExchangeMethod(u16) {
        NONE = 0, "NONE", "RFC 7296";
        MODP_768 = 1, "MODP_768", "RFC 7296";
        MODP_1024 = 2, "MODP_1024", "RFC 7296";
        MODP_1536 = 5, "MODP_1536", "RFC 3526";
        MODP_2048 = 14, "MODP_2048", "RFC 3526";
        MODP_3072 = 15, "MODP_3072", "RFC 3526";
        MODP_4096 = 16, "MODP_4096", "RFC 3526";
        MODP_6144 = 17, "MODP_6144", "RFC 3526";
        MODP_8192 = 18, "MODP_8192", "RFC 3526";
        ECP_256 = 19, "ECP_256", "RFC 5903";
        ECP_384 = 20, "ECP_384", "RFC 5903";
        ECP_521 = 21, "ECP_521", "RFC 5903";
        MODP_1024_160 = 22, "MODP_1024_160", "RFC 5114";
        MODP_2048_224 = 23, "MODP_2048_224", "RFC 5114";
        MODP_2048_256 = 24, "MODP_2048_256", "RFC 5114";
        ECP_192 = 25, "ECP_192", "RFC 5114";
        ECP_224 = 26, "ECP_224", "RFC 5114";
        BRAINPOOL_224 = 27, "brainpoolP224r1", "RFC 6954";
        BRAINPOOL_256 = 28, "brainpoolP256r1", "RFC 6954";
        BRAINPOOL_384 = 29, "brainpoolP384r1", "RFC 6954";
        BRAINPOOL_512 = 30, "brainpoolP512r1", "RFC 6954";
        CURVE25519 = 31, "Curve25519", "RFC 8031";
        CURVE448 = 32, "Curve448", "RFC 8031";
        GOST3410_2012_256 = 33, "GOST3410_2012_256", "RFC 9385";
        GOST3410_2012_512 = 34, "GOST3410_2012_512", "RFC 9385";
        ML_KEM_512 = 35, "ML-KEM-512", "draft-ietf-ipsecme-ikev2-mlkem";
        ML_KEM_768 = 36, "ML-KEM-768", "draft-ietf-ipsecme-ikev2-mlkem";
        ML_KEM_1024 = 37, "ML-KEM-1024", "draft-ietf-ipsecme-ikev2-mlkem";
    }

    /// Transform type 5: sequence numbers.
    pub struct SequenceNumbers(u16) {
        NO_ESN = 0, "No Extended Sequence Numbers", "RFC 7296";
        ESN = 1, "Extended Sequence Numbers", "RFC 7296";
        UNSPECIFIED_32 = 2, "32-bit Unspecified Numbers", "RFC 9838";
    }

    /// Attribute of a transform.
    pub struct TransformAttribute(u16) {
        KEY_LENGTH = 14, "Key Length", "RFC 7296";
        SIGNATURE_ALGORITHM_IDENTIFIER = 18, "Signature Algorithm Identifier", "RFC 9838";
    }

    /// What kind of identity an ID payload bears.
    pub struct IdType(u8) {
        IPV4_ADDR = 1, "ID_IPV4_ADDR", "RFC 7296";
        FQDN = 2, "ID_FQDN", "RFC 7296";
        RFC822_ADDR = 3, "ID_RFC822_ADDR", "RFC 7296";
        IPV6_ADDR = 5, "ID_IPV6_ADDR", "RFC 7296";
        DER_ASN1_DN = 9, "ID_DER_ASN1_DN", "RFC 7296";
        DER_ASN1_GN = 10, "ID_DER_ASN1_GN", "RFC 7296";
        KEY_ID = 11, "ID_KEY_ID", "RFC 7296";
        FC_NAME = 12, "ID_FC_NAME", "RFC 4595";
        NULL = 13, "ID_NULL", "RFC 7619";
    }

    /// Certificate encoding of CERT and CERTREQ payloads.
    pub struct CertEncoding(u8) {
        PKCS7_X509 = 1, "PKCS #7 wrapped X.509 certificate", "unspecified";
        PGP = 2, "PGP Certificate", "unspecified";
        DNS_SIGNED_KEY = 3, "DNS Signed Key", "unspecified";
        X509_SIGNATURE = 4, "X.509 Certificate - Signature", "RFC 7296";
        KERBEROS_TOKEN = 6, "Kerberos Token", "unspecified";
        CRL = 7, "Certificate Revocation List (CRL)", "RFC 7296";
        ARL = 8, "Authority Revocation List (ARL)", "unspecified";
        SPKI = 9, "SPKI Certificate", "unspecified";
        X509_ATTRIBUTE = 10, "X.509 Certificate - Attribute", "unspecified";
        RAW_RSA_KEY = 11, "Raw RSA Key", "RFC 7296";
        HASH_AND_URL_CERTIFICATE = 12, "Hash and URL of X.509 certificate", "RFC 7296";
        HASH_AND_URL_BUNDLE = 13, "Hash and URL of X.509 bundle", "RFC 7296";
        OCSP = 14, "OCSP Content", "RFC 4806";
        RAW_PUBLIC_KEY = 15, "Raw Public Key", "RFC 7670";
    }

    /// Authentication method of an AUTH payload.
    pub struct AuthMethod(u8) {
        RSA_SIGNATURE = 1, "RSA Digital Signature", "RFC 7296";
        SHARED_KEY = 2, "Shared Key Message Integrity Code", "RFC 7296";
        DSS_SIGNATURE = 3, "DSS Digital Signature", "RFC 7296";
        ECDSA_SHA256_P256 = 9, "ECDSA with SHA-256 on the P-256 curve", "RFC 4754";
        ECDSA_SHA384_P384 = 10, "ECDSA with SHA-384 on the P-384 curve", "RFC 4754";
        ECDSA_SHA512_P521 = 11, "ECDSA with SHA-512 on the P-521 curve", "RFC 4754";
        SECURE_PASSWORD = 12, "Generic Secure Password Authentication Method", "RFC 6467";
        NULL = 13, "NULL Authentication", "RFC 7619";
        DIGITAL_SIGNATURE = 14, "Digital Signature", "RFC 7427";
    }

    /// Notify message type: errors below 16384, status types above.
    pub struct NotifyType(u16) {
        UNSUPPORTED_CRITICAL_PAYLOAD = 1, "UNSUPPORTED_CRITICAL_PAYLOAD", "RFC 7296";
        INVALID_IKE_SPI = 4, "INVALID_IKE_SPI", "RFC 7296";
        INVALID_MAJOR_VERSION = 5, "INVALID_MAJOR_VERSION", "RFC 7296";
        INVALID_SYNTAX = 7, "INVALID_SYNTAX", "RFC 7296";
        INVALID_MESSAGE_ID = 9, "INVALID_MESSAGE_ID", "RFC 7296";
        INVALID_SPI = 11, "INVALID_SPI", "RFC 7296";
        NO_PROPOSAL_CHOSEN = 14, "NO_PROPOSAL_CHOSEN", "RFC 7296";
        INVALID_KE_PAYLOAD = 17, "INVALID_KE_PAYLOAD", "RFC 7296";
        AUTHENTICATION_FAILED = 24, "AUTHENTICATION_FAILED", "RFC 7296";
        SINGLE_PAIR_REQUIRED = 34, "SINGLE_PAIR_REQUIRED", "RFC 7296";
        NO_ADDITIONAL_SAS = 35, "NO_ADDITIONAL_SAS", "RFC 7296";
        INTERNAL_ADDRESS_FAILURE = 36, "INTERNAL_ADDRESS_FAILURE", "RFC 7296";
        FAILED_CP_REQUIRED = 37, "FAILED_CP_REQUIRED", "RFC 7296";
        TS_UNACCEPTABLE = 38, "TS_UNACCEPTABLE", "RFC 7296";
        INVALID_SELECTORS = 39, "INVALID_SELECTORS", "RFC 7296";
        UNACCEPTABLE_ADDRESSES = 40, "UNACCEPTABLE_ADDRESSES", "RFC 4555";
        UNEXPECTED_NAT_DETECTED = 41, "UNEXPECTED_NAT_DETECTED", "RFC 4555";
        USE_ASSIGNED_HOA = 42, "USE_ASSIGNED_HoA", "RFC 5026";
        TEMPORARY_FAILURE = 43, "TEMPORARY_FAILURE", "RFC 7296";
        CHILD_SA_NOT_FOUND = 44, "CHILD_SA_NOT_FOUND", "RFC 7296";
        INVALID_GROUP_ID = 45, "INVALID_GROUP_ID", "RFC 9838";
        AUTHORIZATION_FAILED = 46, "AUTHORIZATION_FAILED", "RFC 9838";
        STATE_NOT_FOUND = 47, "STATE_NOT_FOUND", "RFC 9370";
        TS_MAX_QUEUE = 48, "TS_MAX_QUEUE", "RFC 9611";
        REGISTRATION_FAILED = 49, "REGISTRATION_FAILED", "RFC 9838";
        INITIAL_CONTACT = 16384, "INITIAL_CONTACT", "RFC 7296";
        SET_WINDOW_SIZE = 16385, "SET_WINDOW_SIZE", "RFC 7296";
        ADDITIONAL_TS_POSSIBLE = 16386, "ADDITIONAL_TS_POSSIBLE", "RFC 7296";
        IPCOMP_SUPPORTED = 16387, "IPCOMP_SUPPORTED", "RFC 7296";
        NAT_DETECTION_SOURCE_IP = 16388, "NAT_DETECTION_SOURCE_IP", "RFC 7296";
        NAT_DETECTION_DESTINATION_IP = 16389, "NAT_DETECTION_DESTINATION_IP", "RFC 7296";
        COOKIE = 16390, "COOKIE", "RFC 7296";
        USE_TRANSPORT_MODE = 16391, "USE_TRANSPORT_MODE", "RFC 7296";
        HTTP_CERT_LOOKUP_SUPPORTED = 16392, "HTTP_CERT_LOOKUP_SUPPORTED", "RFC 7296";
        REKEY_SA = 16393, "REKEY_SA", "RFC 7296";
        ESP_TFC_PADDING_NOT_SUPPORTED = 16394, "ESP_TFC_PADDING_NOT_SUPPORTED", "RFC 7296";
        NON_FIRST_FRAGMENTS_ALSO = 16395, "NON_FIRST_FRAGMENTS_ALSO", "RFC 7296";
        MOBIKE_SUPPORTED = 16396, "MOBIKE_SUPPORTED", "RFC 4555";
        ADDITIONAL_IP4_ADDRESS = 16397, "ADDITIONAL_IP4_ADDRESS", "RFC 4555";
        ADDITIONAL_IP6_ADDRESS = 16398, "ADDITIONAL_IP6_ADDRESS", "RFC 4555";
        NO_ADDITIONAL_ADDRESSES = 16399, "NO_ADDITIONAL_ADDRESSES", "RFC 4555";
        UPDATE_SA_ADDRESSES = 16400, "UPDATE_SA_ADDRESSES", "RFC 4555";
        COOKIE2 = 16401, "COOKIE2", "RFC 4555";
        NO_NATS_ALLOWED = 16402, "NO_NATS_ALLOWED", "RFC 4555";
        AUTH_LIFETIME = 16403, "AUTH_LIFETIME", "RFC 4478";
        MULTIPLE_AUTH_SUPPORTED = 16404, "MULTIPLE_AUTH_SUPPORTED", "RFC 4739";
        ANOTHER_AUTH_FOLLOWS = 16405, "ANOTHER_AUTH_FOLLOWS", "RFC 4739";
        REDIRECT_SUPPORTED = 16406, "REDIRECT_SUPPORTED", "RFC 5685";
        REDIRECT = 16407, "REDIRECT", "RFC 5685";
        REDIRECTED_FROM = 16408, "REDIRECTED_FROM", "RFC 5685";
        TICKET_LT_OPAQUE = 16409, "TICKET_LT_OPAQUE", "RFC 5723";
        TICKET_REQUEST = 16410, "TICKET_REQUEST", "RFC 5723";
        TICKET_ACK = 16411, "TICKET_ACK", "RFC 5723";
        TICKET_NACK = 16412, "TICKET_NACK", "RFC 5723";
        TICKET_OPAQUE = 16413, "TICKET_OPAQUE", "RFC 5723";
        LINK_ID = 16414, "LINK_ID", "RFC 5739";
        USE_WESP_MODE = 16415, "USE_WESP_MODE", "RFC 5840";
        ROHC_SUPPORTED = 16416, "ROHC_SUPPORTED", "RFC 5857";
        EAP_ONLY_AUTHENTICATION = 16417, "EAP_ONLY_AUTHENTICATION", "RFC 5998";
        CHILDLESS_IKEV2_SUPPORTED = 16418, "CHILDLESS_IKEV2_SUPPORTED", "RFC 6023";
        QUICK_CRASH_DETECTION = 16419, "QUICK_CRASH_DETECTION", "RFC 6290";
        IKEV2_MESSAGE_ID_SYNC_SUPPORTED = 16420, "IKEV2_MESSAGE_ID_SYNC_SUPPORTED", "RFC 6311";
        IPSEC_REPLAY_COUNTER_SYNC_SUPPORTED = 16421, "IPSEC_REPLAY_COUNTER_SYNC_SUPPORTED", "RFC 6311";
        IKEV2_MESSAGE_ID_SYNC = 16422, "IKEV2_MESSAGE_ID_SYNC", "RFC 6311";
        IPSEC_REPLAY_COUNTER_SYNC = 16423, "IPSEC_REPLAY_COUNTER_SYNC", "RFC 6311";
        SECURE_PASSWORD_METHODS = 16424, "SECURE_PASSWORD_METHODS", "RFC 6467";
        PSK_PERSIST = 16425, "PSK_PERSIST", "RFC 6631";
        PSK_CONFIRM = 16426, "PSK_CONFIRM", "RFC 6631";
        ERX_SUPPORTED = 16427, "ERX_SUPPORTED", "RFC 6867";
        IFOM_CAPABILITY = 16428, "IFOM_CAPABILITY", "unspecified";
        GROUP_SENDER = 16429, "GROUP_SENDER", "RFC 9838";
        IKEV2_FRAGMENTATION_SUPPORTED = 16430, "IKEV2_FRAGMENTATION_SUPPORTED", "RFC 7383";
        SIGNATURE_HASH_ALGORITHMS = 16431, "SIGNATURE_HASH_ALGORITHMS", "RFC 7427";
        CLONE_IKE_SA_SUPPORTED = 16432, "CLONE_IKE_SA_SUPPORTED", "RFC 7791";
        CLONE_IKE_SA = 16433, "CLONE_IKE_SA", "RFC 7791";
        PUZZLE = 16434, "PUZZLE", "RFC 8019";
        USE_PPK = 16435, "USE_PPK", "RFC 8784";
        PPK_IDENTITY = 16436, "PPK_IDENTITY", "RFC 8784";
        NO_PPK_AUTH = 16437, "NO_PPK_AUTH", "RFC 8784";
        INTERMEDIATE_EXCHANGE_SUPPORTED = 16438, "INTERMEDIATE_EXCHANGE_SUPPORTED", "RFC 9242";
        IP4_ALLOWED = 16439, "IP4_ALLOWED", "RFC 8983";
        IP6_ALLOWED = 16440, "IP6_ALLOWED", "RFC 8983";
        ADDITIONAL_KEY_EXCHANGE = 16441, "ADDITIONAL_KEY_EXCHANGE", "RFC 9370";
        USE_AGGFRAG = 16442, "USE_AGGFRAG", "RFC 9347";
        SUPPORTED_AUTH_METHODS = 16443, "SUPPORTED_AUTH_METHODS", "RFC 9593";
        SA_RESOURCE_INFO = 16444, "SA_RESOURCE_INFO", "RFC 9611";
        USE_PPK_INT = 16445, "USE_PPK_INT", "RFC 9867";
        PPK_IDENTITY_KEY = 16446, "PPK_IDENTITY_KEY", "RFC 9867";
        IKE_SA_INIT_FULL_TRANSCRIPT_AUTH = 16447, "IKE_SA_INIT_FULL_TRANSCRIPT_AUTH", "draft-ietf-ipsecme-ikev2-downgrade-prevention";
    }

    /// IPComp transform of an IPCOMP_SUPPORTED notification.
    pub struct IpcompTransform(u8) {
        OUI = 1, "IPCOMP_OUI", "unspecified";
        DEFLATE = 2, "IPCOMP_DEFLATE", "RFC 2394";
        LZS = 3, "IPCOMP_LZS", "RFC 2395";
        LZJH = 4, "IPCOMP_LZJH", "RFC 3051";
    }

    /// What kind of selector an element of a TS payload is.
    pub struct TsType(u8) {
        IPV4_ADDR_RANGE = 7, "TS_IPV4_ADDR_RANGE", "RFC 7296";
        IPV6_ADDR_RANGE = 8, "TS_IPV6_ADDR_RANGE", "RFC 7296";
        FC_ADDR_RANGE = 9, "TS_FC_ADDR_RANGE", "RFC 4595";
        SECLABEL = 10, "TS_SECLABEL", "RFC 9478";
    }

    /// Type of a configuration payload.
    pub struct ConfigType(u8) {
        REQUEST = 1, "CFG_REQUEST", "RFC 7296";
        REPLY = 2, "CFG_REPLY", "RFC 7296";
        SET = 3, "CFG_SET", "RFC 7296";
        ACK = 4, "CFG_ACK", "RFC 7296";
    }

    /// Attribute of a configuration payload.
    pub struct ConfigAttribute(u16) {
        INTERNAL_IP4_ADDRESS = 1, "INTERNAL_IP4_ADDRESS", "RFC 7296";
        INTERNAL_IP4_NETMASK = 2, "INTERNAL_IP4_NETMASK", "RFC 7296";
        INTERNAL_IP4_DNS = 3, "INTERNAL_IP4_DNS", "RFC 7296";
        INTERNAL_IP4_NBNS = 4, "INTERNAL_IP4_NBNS", "RFC 7296";
        INTERNAL_IP4_DHCP = 6, "INTERNAL_IP4_DHCP", "RFC 7296";
        APPLICATION_VERSION = 7, "APPLICATION_VERSION", "RFC 7296";
        INTERNAL_IP6_ADDRESS = 8, "INTERNAL_IP6_ADDRESS", "RFC 7296";
        INTERNAL_IP6_DNS = 10, "INTERNAL_IP6_DNS", "RFC 7296";
        INTERNAL_IP6_DHCP = 12, "INTERNAL_IP6_DHCP", "RFC 7296";
        INTERNAL_IP4_SUBNET = 13, "INTERNAL_IP4_SUBNET", "RFC 7296";
        SUPPORTED_ATTRIBUTES = 14, "SUPPORTED_ATTRIBUTES", "RFC 7296";
        INTERNAL_IP6_SUBNET = 15, "INTERNAL_IP6_SUBNET", "RFC 7296";
        MIP6_HOME_PREFIX = 16, "MIP6_HOME_PREFIX", "RFC 5026";
        INTERNAL_IP6_LINK = 17, "INTERNAL_IP6_LINK", "RFC 5739";
        INTERNAL_IP6_PREFIX = 18, "INTERNAL_IP6_PREFIX", "RFC 5739";
        HOME_AGENT_ADDRESS = 19, "HOME_AGENT_ADDRESS", "unspecified";
        P_CSCF_IP4_ADDRESS = 20, "P_CSCF_IP4_ADDRESS", "RFC 7651";
        P_CSCF_IP6_ADDRESS = 21, "P_CSCF_IP6_ADDRESS", "RFC 7651";
        FTT_KAT = 22, "FTT_KAT", "unspecified";
        EXTERNAL_SOURCE_IP4_NAT_INFO = 23, "EXTERNAL_SOURCE_IP4_NAT_INFO", "unspecified";
        TIMEOUT_PERIOD_FOR_LIVENESS_CHECK = 24, "TIMEOUT_PERIOD_FOR_LIVENESS_CHECK", "unspecified";
        INTERNAL_DNS_DOMAIN = 25, "INTERNAL_DNS_DOMAIN", "RFC 8598";
        INTERNAL_DNSSEC_TA = 26, "INTERNAL_DNSSEC_TA", "RFC 8598";
        ENCDNS_IP4 = 27, "ENCDNS_IP4", "RFC 9464";
        ENCDNS_IP6 = 28, "ENCDNS_IP6", "RFC 9464";
        ENCDNS_DIGEST_INFO = 29, "ENCDNS_DIGEST_INFO", "RFC 9464";
    }

    /// Kind of gateway identity in the redirect notifications.
    pub struct GatewayIdType(u8) {
        IPV4 = 1, "IPv4 address of the VPN gateway", "RFC 5685";
        IPV6 = 2, "IPv6 address of the VPN gateway", "RFC 5685";
        FQDN = 3, "FQDN of the VPN gateway", "RFC 5685";
    }

    /// Secure password method of GSPM.
    pub struct SecurePasswordMethod(u16) {
        PACE = 1, "PACE", "RFC 6631";
        AUGPAKE = 2, "AugPAKE", "RFC 6628";
        SPSK = 3, "Secure PSK Authentication", "RFC 6617";
    }

    /// Hash algorithm of SIGNATURE_HASH_ALGORITHMS.
    pub struct HashAlgorithm(u16) {
        SHA1 = 1, "SHA1", "RFC 7427";
        SHA2_256 = 2, "SHA2-256", "RFC 7427";
        SHA2_384 = 3, "SHA2-384", "RFC 7427";
        SHA2_512 = 4, "SHA2-512", "RFC 7427";
        IDENTITY = 5, "Identity", "RFC 8420";
        STREEBOG_256 = 6, "STREEBOG_256", "RFC 9385";
        STREEBOG_512 = 7, "STREEBOG_512", "RFC 9385";
    }

    /// Kind of post-quantum pre-shared key identity.
    pub struct PpkIdType(u8) {
        OPAQUE = 1, "PPK_ID_OPAQUE", "RFC 8784";
        FIXED = 2, "PPK_ID_FIXED", "RFC 8784";
    }
}

impl NotifyType {
    /// Error types are below 16384, status types above (RFC 7296 §3.10.1).
    #[must_use]
    pub const fn is_error(self) -> bool {
        self.0 < 16384
    }
}

impl TransformType {
    /// One of the seven additional key exchanges (RFC 9370 §2.2.1).
    #[must_use]
    pub const fn is_additional_key_exchange(self) -> bool {
        matches!(self.0, 6..=12)
    }
}
