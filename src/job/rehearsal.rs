//! Settings that play the providers on this machine.

use crate::sandbox::{Sandbox, demo_accounts};
use crate::settings::{
    ConnectTopupAccess, LedgerLocation, PaynicornAccess, SandboxAccess, Settings, SettingsError, TutomAccess,
};

/// Settings whose three providers (`vietnam`, `china`, `nigeria`) are a running sandbox: nothing that is sent
/// with them leaves the machine.
///
/// # Errors
/// [`SettingsError::Sandbox`] when the sandbox's address is no address of this machine.
pub fn sandbox_settings(server: &Sandbox, ledger: LedgerLocation) -> Result<Settings, SettingsError> {
    let demo = demo_accounts();
    let url = |path: &str| format!("http://{}{path}", server.addr());
    let (connect, tutom, paynicorn) =
        (url(demo.connect_path), url(demo.tutom_path), url(demo.paynicorn_path));
    let access = SandboxAccess {
        connect_topup: ConnectTopupAccess {
            base_url: &connect,
            username: demo.connect_username,
            private_key: demo.connect_private_key,
        },
        tutom: TutomAccess { base_url: &tutom, app_key: demo.tutom_app_key, open_id: demo.tutom_open_id },
        paynicorn: PaynicornAccess {
            base_url: &paynicorn,
            app_key: demo.paynicorn_app_key,
            merchant_secret: Some(demo.paynicorn_secret),
        },
    };
    Settings::for_sandbox(ledger, &access)
}
