//! Unimobile/Tutom: mobile data in China (`tutom-data-refill.txt`).

use url::Url;

use crate::domain::{Method, Secret};

/// One account at Tutom.
#[derive(Clone, Debug)]
pub struct Tutom {
    /// Ends in `/`; the operations' names follow (`List`, `OrderCreate`).
    pub base_url: Url,
    /// `appkey`: in every request.
    pub app_key: Secret,
    /// `openId`: first part of the signature, in no request.
    pub open_id: Secret,
    /// How the fields travel: query string or form body ("Http Method: GET/POST").
    pub method: Method,
}
