//! The field's names of states, inputs and messages.

/// Our part in an SA.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// We sent the first message.
    Initiator,
    /// The peer did.
    Responder,
}

impl Role {
    /// The peer's role.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Initiator => Self::Responder,
            Self::Responder => Self::Initiator,
        }
    }

    /// `I` or `R`.
    #[must_use]
    pub const fn letter(self) -> char {
        match self {
            Self::Initiator => 'I',
            Self::Responder => 'R',
        }
    }
}

/// Declares an enum whose values have one printed name each.
macro_rules! named {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $text:literal,)* }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum $name { $($(#[$doc])* $variant,)* }

        impl $name {
            /// The name that logs print.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }
        }

        impl core::fmt::Display for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.pad(self.name())
            }
        }
    };
}

named! {
    /// State of phase 1. The digit is the message that was last sent or received.
    IkeState {
        /// Nothing sent, nothing received.
        Ready = "IKE_READY",
        /// Initiator, message 1 sent.
        InitiatorMm1 = "IKE_I_MM1",
        /// Initiator, message 2 received.
        InitiatorMm2 = "IKE_I_MM2",
        /// Initiator, message 3 sent.
        InitiatorMm3 = "IKE_I_MM3",
        /// Initiator, message 4 received.
        InitiatorMm4 = "IKE_I_MM4",
        /// Initiator, message 5 sent.
        InitiatorMm5 = "IKE_I_MM5",
        /// Initiator, message 6 received.
        InitiatorMm6 = "IKE_I_MM6",
        /// Responder, message 1 received.
        ResponderMm1 = "IKE_R_MM1",
        /// Responder, message 2 sent.
        ResponderMm2 = "IKE_R_MM2",
        /// Responder, message 3 received.
        ResponderMm3 = "IKE_R_MM3",
        /// Responder, message 4 sent.
        ResponderMm4 = "IKE_R_MM4",
        /// Responder, message 5 received.
        ResponderMm5 = "IKE_R_MM5",
        /// Initiator of aggressive mode, message 1 sent.
        InitiatorAm1 = "IKE_I_AM1",
        /// Initiator of aggressive mode, message 2 received.
        InitiatorAm2 = "IKE_I_AM2",
        /// Responder of aggressive mode, message 1 received.
        ResponderAm1 = "IKE_R_AM1",
        /// Responder of aggressive mode, message 2 sent.
        ResponderAm2 = "IKE_R_AM2",
        /// Phase 1 is complete.
        Complete = "IKE_P1_COMPLETE",
        /// The SA is going away.
        Destroying = "IKE_DEST_SA",
        /// IKEv2: nothing sent, nothing received.
        Idle = "IDLE",
        /// IKEv2: IKE_SA_INIT is out.
        WaitInit = "I_WAIT_INIT",
        /// IKEv2: IKE_SA_INIT is done, IKE_AUTH is not.
        WaitAuth = "WAIT_AUTH",
        /// IKEv2: authenticated.
        Up = "READY",
        /// IKEv2: the SA is going away.
        Deleting = "DELETE",
    }
}

named! {
    /// State of an exchange of phase 2.
    ExchangeState {
        /// Nothing sent, nothing received.
        QmReady = "IKE_QM_READY",
        /// Waiting for an SPI from the embedder.
        QmSpiStarve = "IKE_QM_SPI_STARVE",
        /// Initiator, message 1 sent.
        QmInitiator1 = "IKE_QM_I_QM1",
        /// Responder, message 2 sent.
        QmResponder2 = "IKE_QM_R_QM2",
        /// The SAs stand.
        QmComplete = "IKE_QM_PHASE2_COMPLETE",
        /// The exchange failed.
        QmFailed = "IKE_QM_FAILED",
    }
}

named! {
    /// State of an SA as tables show it.
    ShowState {
        /// Main mode, nothing agreed.
        MmNoState = "MM_NO_STATE",
        /// Main mode, parameters agreed.
        MmSaSetup = "MM_SA_SETUP",
        /// Main mode, keys exchanged.
        MmKeyExch = "MM_KEY_EXCH",
        /// Aggressive mode, nothing agreed.
        AgNoState = "AG_NO_STATE",
        /// Aggressive mode, first message done.
        AgInitExch = "AG_INIT_EXCH",
        /// Ready for phase 2.
        QmIdle = "QM_IDLE",
        /// IKEv2: not authenticated yet.
        InNegotiation = "IN-NEG",
        /// IKEv2: authenticated.
        Ready = "READY",
        /// IKEv2: going away.
        Delete = "DELETE",
    }
}

named! {
    /// What moved a state machine.
    Input {
        /// A main mode message.
        PeerMainMode = "IKE_MESG_FROM_PEER, IKE_MM_EXCH",
        /// An aggressive mode message.
        PeerAggressiveMode = "IKE_MESG_FROM_PEER, IKE_AM_EXCH",
        /// A quick mode message.
        PeerQuickMode = "IKE_MESG_FROM_PEER, IKE_QM_EXCH",
        /// A notification.
        PeerNotify = "IKE_MESG_FROM_PEER, IKE_INFO_NOTIFY",
        /// A delete.
        PeerDelete = "IKE_MESG_FROM_PEER, IKE_INFO_DELETE",
        /// The message just received is worked on.
        ProcessMainMode = "IKE_MESG_INTERNAL, IKE_PROCESS_MAIN_MODE",
        /// The work is done and the answer is out.
        ProcessComplete = "IKE_MESG_INTERNAL, IKE_PROCESS_COMPLETE",
        /// The work found a fault.
        ProcessError = "IKE_MESG_INTERNAL, IKE_PROCESS_ERROR",
        /// Phase 1 is done.
        Phase1Complete = "IKE_MESG_INTERNAL, IKE_PHASE1_COMPLETE",
        /// Phase 1 is to be deleted.
        Phase1Delete = "IKE_MESG_INTERNAL, IKE_PHASE1_DEL",
        /// A quick mode is to begin.
        InitQuickMode = "IKE_MESG_INTERNAL, IKE_INIT_QM",
        /// A main mode is wanted.
        WantMainMode = "IKE_MESG_FROM_IPSEC, IKE_SA_REQ_MM",
        /// An aggressive mode is wanted.
        WantAggressiveMode = "IKE_MESG_FROM_IPSEC, IKE_SA_REQ_AM",
        /// The SPI that was asked for has come.
        SpiReply = "IKE_MESG_FROM_IPSEC, IKE_SPI_REPLY",
        /// IKEv2: an SA is wanted.
        InitSa = "EV_INIT_SA",
        /// IKEv2: IKE_SA_INIT came.
        RecvInit = "EV_RECV_INIT",
        /// IKEv2: a cookie or another group is wanted.
        AskAgain = "EV_RECV_INIT_NOTIFY",
        /// IKEv2: IKE_AUTH came and proved good.
        RecvAuth = "EV_OK_AUTH",
        /// IKEv2: IKE_AUTH failed.
        Failed = "EV_AUTH_FAIL",
        /// IKEv2: the SA is to be deleted.
        Delete = "EV_DELETE",
        /// A deadline has come.
        Timer = "IKE_MESG_FROM_TIMER, IKE_TIMER",
    }
}

named! {
    /// One message of an exchange.
    Step {
        /// Main mode, message 1.
        MmI1 = "MM_I1",
        /// Main mode, message 2.
        MmR1 = "MM_R1",
        /// Main mode, message 3.
        MmI2 = "MM_I2",
        /// Main mode, message 4.
        MmR2 = "MM_R2",
        /// Main mode, message 5.
        MmI3 = "MM_I3",
        /// Main mode, message 6.
        MmR3 = "MM_R3",
        /// Aggressive mode, message 1.
        AmI1 = "AM_I1",
        /// Aggressive mode, message 2.
        AmR1 = "AM_R1",
        /// Aggressive mode, message 3.
        AmI2 = "AM_I2",
        /// Quick mode, message 1.
        QmI1 = "QM_I1",
        /// Quick mode, message 2.
        QmR1 = "QM_R1",
        /// Quick mode, message 3.
        QmI2 = "QM_I2",
        /// Informational.
        Info = "INFO",
        /// IKE_SA_INIT, request.
        SaInitI = "IKE_SA_INIT_I",
        /// IKE_SA_INIT, response.
        SaInitR = "IKE_SA_INIT_R",
        /// IKE_INTERMEDIATE request.
        IntermediateI = "IKE_INTERMEDIATE_I",
        /// IKE_INTERMEDIATE response.
        IntermediateR = "IKE_INTERMEDIATE_R",
        /// IKE_AUTH, request.
        AuthI = "IKE_AUTH_I",
        /// IKE_AUTH, response.
        AuthR = "IKE_AUTH_R",
        /// CREATE_CHILD_SA, request.
        CreateChildI = "CREATE_CHILD_SA_I",
        /// CREATE_CHILD_SA, response.
        CreateChildR = "CREATE_CHILD_SA_R",
        /// IKE_FOLLOWUP_KE, request.
        FollowupI = "IKE_FOLLOWUP_KE_I",
        /// IKE_FOLLOWUP_KE, response.
        FollowupR = "IKE_FOLLOWUP_KE_R",
        /// INFORMATIONAL of IKEv2, request.
        InformationalI = "INFORMATIONAL_I",
        /// INFORMATIONAL of IKEv2, response.
        InformationalR = "INFORMATIONAL_R",
        /// Mode configuration or XAUTH.
        Transaction = "TRANS",
        /// Anything else.
        Other = "OTHER",
    }
}

impl IkeState {
    /// The state that tables and packet lines show.
    #[must_use]
    pub const fn show(self) -> ShowState {
        match self {
            Self::Ready | Self::InitiatorMm1 | Self::Destroying => ShowState::MmNoState,
            Self::InitiatorMm2 | Self::InitiatorMm3 | Self::ResponderMm1 | Self::ResponderMm2 => {
                ShowState::MmSaSetup
            }
            Self::InitiatorMm4
            | Self::InitiatorMm5
            | Self::InitiatorMm6
            | Self::ResponderMm3
            | Self::ResponderMm4
            | Self::ResponderMm5 => ShowState::MmKeyExch,
            Self::InitiatorAm1 => ShowState::AgNoState,
            Self::InitiatorAm2 | Self::ResponderAm1 | Self::ResponderAm2 => ShowState::AgInitExch,
            Self::Complete => ShowState::QmIdle,
            Self::Idle | Self::WaitInit | Self::WaitAuth => ShowState::InNegotiation,
            Self::Up => ShowState::Ready,
            Self::Deleting => ShowState::Delete,
        }
    }
}

/// A state of phase 1 or of a later exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum State {
    /// Of phase 1.
    Ike(IkeState),
    /// Of a later exchange.
    Exchange(ExchangeState),
}

impl From<IkeState> for State {
    fn from(state: IkeState) -> Self {
        Self::Ike(state)
    }
}

impl From<ExchangeState> for State {
    fn from(state: ExchangeState) -> Self {
        Self::Exchange(state)
    }
}

impl core::fmt::Display for State {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Ike(state) => state.fmt(f),
            Self::Exchange(state) => state.fmt(f),
        }
    }
}
