//! Paynicorn: airtime in Nigeria and elsewhere (`paynicorn-airtime.txt`).

use url::Url;

use crate::domain::Secret;

/// One account at Paynicorn.
#[derive(Clone, Debug)]
pub struct Paynicorn {
    /// Ends in `/`; the operations' names follow (`topup`, `query`).
    pub base_url: Url,
    /// `appKey`.
    pub app_key: Secret,
    /// Present: bodies travel in the signed envelope. Absent: the plain bodies of the document.
    pub merchant_secret: Option<Secret>,
    /// How `benefitNo` is written.
    pub benefit_no: BenefitNo,
}

/// How `benefitNo` is written; the document's samples disagree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BenefitNo {
    /// National significant number, no leading zero.
    Nsn,
    /// With the leading zero.
    National,
}
