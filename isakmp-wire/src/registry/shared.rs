//! Numbers that both versions draw from one space.

registry! {
    /// Exchange Type of the header: 0–33 belong to IKEv1, 34 and above to IKEv2.
    pub struct ExchangeType(u8) {
        NONE = 0, "NONE", "RFC 2408 §3.1";
        BASE = 1, "Base", "RFC 2408 §4.4";
        /// RFC 2409 calls it main mode.
        IDENTITY_PROTECTION = 2, "Identity Protection (Main Mode)", "RFC 2408 §4.5, RFC 2409 §5";
        AUTHENTICATION_ONLY = 3, "Authentication Only", "RFC 2408 §4.6";
        AGGRESSIVE = 4, "Aggressive", "RFC 2408 §4.7, RFC 2409 §5";
        /// The IKEv1 one; see [`Self::INFORMATIONAL_V2`].
        INFORMATIONAL = 5, "Informational", "RFC 2408 §4.8, RFC 2409 §5.7";
        /// Mode-config and XAUTH.
        TRANSACTION = 6, "Transaction (Config Mode)", "draft-dukes-ike-mode-cfg-02 §3.1";
        QUICK_MODE = 32, "Quick Mode", "RFC 2409 §5.5";
        NEW_GROUP_MODE = 33, "New Group Mode", "RFC 2409 §5.6";
        IKE_SA_INIT = 34, "IKE_SA_INIT", "RFC 7296 §1.2";
        IKE_AUTH = 35, "IKE_AUTH", "RFC 7296 §1.2";
        CREATE_CHILD_SA = 36, "CREATE_CHILD_SA", "RFC 7296 §1.3";
        /// The IKEv2 one; see [`Self::INFORMATIONAL`].
        INFORMATIONAL_V2 = 37, "INFORMATIONAL", "RFC 7296 §1.4";
        IKE_SESSION_RESUME = 38, "IKE_SESSION_RESUME", "RFC 5723";
        GSA_AUTH = 39, "GSA_AUTH", "RFC 9838";
        GSA_REGISTRATION = 40, "GSA_REGISTRATION", "RFC 9838";
        GSA_REKEY = 41, "GSA_REKEY", "RFC 9838";
        GSA_INBAND_REKEY = 42, "GSA_INBAND_REKEY", "RFC 9838";
        IKE_INTERMEDIATE = 43, "IKE_INTERMEDIATE", "RFC 9242";
        IKE_FOLLOWUP_KE = 44, "IKE_FOLLOWUP_KE", "RFC 9370";
    }

    /// Security protocol identifier of proposals, notifications and deletions. Values 1 to 3 mean
    /// the same in both versions.
    pub struct ProtocolId(u8) {
        /// IKEv2: no SA is named.
        NONE = 0, "none", "RFC 7296 §3.10";
        /// `PROTO_ISAKMP` of RFC 2407, `IKE` of RFC 7296.
        ISAKMP = 1, "ISAKMP", "RFC 2407 §4.4.1";
        AH = 2, "AH", "RFC 2407 §4.4.1";
        ESP = 3, "ESP", "RFC 2407 §4.4.1";
        /// IKEv1 only; IKEv2 gives 4 to `FC_ESP_HEADER`.
        IPCOMP = 4, "IPCOMP", "RFC 2407 §4.4.1";
    }
}

impl ProtocolId {
    /// IKEv2's name of [`Self::ISAKMP`].
    pub const IKE: Self = Self::ISAKMP;
}
