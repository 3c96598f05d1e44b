//! The demo accounts: the credentials that the sandbox accepts, and no others.

/// What a client needs to talk to the sandbox. Nothing here is worth anything anywhere else.
#[derive(Debug, Clone, Copy)]
pub struct DemoAccounts {
    /// Tutom's `appkey`, the document's sample.
    pub tutom_app_key: &'static str,
    /// Tutom's `openId`, the secret of its signatures.
    pub tutom_open_id: &'static str,
    /// Path under which Tutom's calls are.
    pub tutom_path: &'static str,
    /// CONNECT TOPUP's `username`.
    pub connect_username: &'static str,
    /// CONNECT TOPUP's `privatekey`.
    pub connect_private_key: &'static str,
    /// Path under which CONNECT TOPUP's calls are.
    pub connect_path: &'static str,
    /// Paynicorn's `appKey`, the document's sample.
    pub paynicorn_app_key: &'static str,
    /// Paynicorn's merchant secret, which signs envelopes and callbacks.
    pub paynicorn_secret: &'static str,
    /// Path under which Paynicorn's calls are.
    pub paynicorn_path: &'static str,
}

/// The demo accounts, always the same.
pub fn demo_accounts() -> DemoAccounts {
    DemoAccounts {
        tutom_app_key: "7bf7d2fd6d9c5012ae7c82ab7617",
        tutom_open_id: "demo-open-id",
        tutom_path: "/gateway/flowapi/",
        connect_username: "demo",
        connect_private_key: "demo-private-key",
        connect_path: "/apipayment/",
        paynicorn_app_key: "T90B124766qU95d385O4",
        paynicorn_secret: "demo-merchant-secret",
        paynicorn_path: "/trade/topup/api/",
    }
}
