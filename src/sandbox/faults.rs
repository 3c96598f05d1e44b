//! What goes wrong, and how often: the fault profile, read from `key=value,key=value`.

use std::net::SocketAddr;
use std::time::Duration;

/// How often a thing happens, in millionths of all cases.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rate(u32);

impl Rate {
    /// Reads a percentage such as `2`, `0.5` or `100` (at most four decimals).
    fn parse(text: &str) -> Option<Rate> {
        let millionths = super::money::minor(text, 4).filter(|rate| *rate <= 1_000_000)?;
        u32::try_from(millionths).ok().map(Rate)
    }

    /// Out of a million.
    pub fn per_million(self) -> u32 {
        self.0
    }
}

/// Where a callback is posted: plain HTTP, an address and a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallbackUrl {
    pub(super) addr: SocketAddr,
    pub(super) path: String,
}

/// One provider's settings.
#[derive(Debug, Clone, Default)]
pub(super) struct ByProvider {
    /// Balance to start with, as text in major units.
    pub balance: Option<String>,
    /// Every submit in the code window is answered with this code, uncharged.
    pub submit_code: Option<String>,
    /// Every look-up of an order in the code window is answered with this code.
    pub lookup_code: Option<String>,
    /// Where callbacks go.
    pub callback: Option<CallbackUrl>,
}

/// A fault profile. [`Faults::parse`] lists every key; without any, nothing goes wrong but what the
/// scenario numbers (see the module page) ask for.
#[derive(Debug, Clone)]
pub struct Faults {
    pub(super) drop_before: Rate,
    pub(super) drop_after: Rate,
    pub(super) http502_before: Rate,
    pub(super) http502_after: Rate,
    pub(super) http429: Rate,
    pub(super) html: Rate,
    pub(super) truncate: Rate,
    pub(super) close_after: Rate,
    pub(super) late: Rate,
    pub(super) throttle: Rate,
    pub(super) pending: Rate,
    pub(super) pending_fail: Rate,
    pub(super) failed: Rate,
    pub(super) ambiguous: Rate,
    pub(super) lookup_drop: Rate,
    pub(super) lookup_502: Rate,
    pub(super) lookup_truncate: Rate,
    pub(super) reverse: Rate,
    pub(super) reverse_after: Duration,
    pub(super) late_by: Duration,
    pub(super) latency: Duration,
    pub(super) latency_jitter: Duration,
    pub(super) reply_latency: Duration,
    pub(super) settle: Duration,
    pub(super) not_found_for: Duration,
    pub(super) duplicate_ok: bool,
    pub(super) jsp_blank_lines: bool,
    pub(super) checksum_sha1: bool,
    pub(super) rate: Option<(u64, Duration)>,
    pub(super) code_from: u64,
    pub(super) code_count: u64,
    pub(super) tutom: ByProvider,
    pub(super) connect: ByProvider,
    pub(super) paynicorn: ByProvider,
}

impl Default for Faults {
    fn default() -> Faults {
        let never = Rate(0);
        Faults {
            drop_before: never,
            drop_after: never,
            http502_before: never,
            http502_after: never,
            http429: never,
            html: never,
            truncate: never,
            close_after: never,
            late: never,
            throttle: never,
            pending: never,
            pending_fail: never,
            failed: never,
            ambiguous: never,
            lookup_drop: never,
            lookup_502: never,
            lookup_truncate: never,
            reverse: never,
            reverse_after: Duration::from_secs(2),
            late_by: Duration::from_secs(30),
            latency: Duration::ZERO,
            latency_jitter: Duration::ZERO,
            reply_latency: Duration::ZERO,
            settle: Duration::from_secs(2),
            not_found_for: Duration::ZERO,
            duplicate_ok: false,
            jsp_blank_lines: true,
            checksum_sha1: false,
            rate: None,
            code_from: 1,
            code_count: u64::MAX,
            tutom: ByProvider::default(),
            connect: ByProvider::default(),
            paynicorn: ByProvider::default(),
        }
    }
}

/// Every key, for the message that a wrong one gets.
pub(super) const KEYS: &[&str] = &[
    "drop_before",
    "drop_after",
    "http502_before",
    "http502_after",
    "http429",
    "html",
    "truncate",
    "close_after",
    "late",
    "throttle",
    "pending",
    "pending_fail",
    "failed",
    "ambiguous",
    "lookup_drop",
    "lookup_502",
    "lookup_truncate",
    "reverse",
    "reverse_after",
    "late_by",
    "latency",
    "latency_jitter",
    "reply_latency",
    "settle",
    "not_found_for",
    "duplicate_ok",
    "jsp_blank_lines",
    "checksum",
    "rate",
    "code_from",
    "code_count",
    "tutom_code",
    "tutom_lookup_code",
    "connect_code",
    "connect_lookup_code",
    "paynicorn_code",
    "paynicorn_lookup_code",
    "vnd_balance",
    "usd_balance",
    "ngn_balance",
    "callback_tutom",
    "callback_paynicorn",
];

impl Faults {
    /// Reads `key=value,key=value`; an empty text is the faultless profile. A later key wins.
    ///
    /// Rates are percentages of submits (`2`, `0.5`), drawn for each request by seed, id and count:
    ///
    /// | key | what happens |
    /// |---|---|
    /// | `drop_before` | the connection breaks, nothing was charged |
    /// | `drop_after` | the request is acted on, then the connection breaks without a reply |
    /// | `http502_before`, `http502_after` | HTTP 502 without and after acting |
    /// | `http429` | HTTP 429 with `Retry-After: 1`, without acting |
    /// | `html` | acted on, answered by HTTP 200 with an HTML page |
    /// | `truncate` | acted on; the reply promises its full length and stops short |
    /// | `late` | the connection breaks at once, the request is acted on `late_by` (30s) later |
    /// | `close_after` | (all calls) the connection is closed, unannounced, after a whole reply |
    /// | `throttle` | Paynicorn 4014 or 4033; Tutom `ListByPhone` 21103; connect-topup has no such code |
    /// | `pending` | charged, still open, settles `settle` (2s) later; `pending_fail` percent of them fail |
    /// | `failed` | taken and failed at once, nothing charged |
    /// | `ambiguous` | an unclear code; one half is charged, the other is not |
    /// | `reverse` | completed, and given back `reverse_after` (2s) later: look-ups say failed from then on |
    /// | `lookup_drop`, `lookup_502`, `lookup_truncate` | the same for every call that is not a submit |
    ///
    /// Times (`20ms`, `2s`, `10m`, `48h`, `3d`):
    ///
    /// | key | meaning |
    /// |---|---|
    /// | `latency`, `latency_jitter` | wait before a request is acted on, plus up to so much more |
    /// | `reply_latency` | wait between acting and replying |
    /// | `settle` | how long an open order stays open |
    /// | `late_by` | how much later a late request arrives |
    /// | `not_found_for` | look-ups do not know an order for so long after its charge |
    ///
    /// Others:
    ///
    /// | key | meaning |
    /// |---|---|
    /// | `rate=40/s` (or `/m`) | more submits to one provider are over its rate: Paynicorn answers 4014, the others note it in the log |
    /// | `duplicate_ok=1` | a repeated id is charged again |
    /// | `checksum=sha1` | connect-topup checks SHA-1 instead of SHA-256 |
    /// | `jsp_blank_lines=0` | connect-topup answers without the line ends around the text |
    /// | `tutom_code`, `connect_code`, `paynicorn_code` | this code answers every submit, uncharged, from the `code_from`th (1) for `code_count` submits |
    /// | `tutom_lookup_code`, ... | the same for OrderQuery, recheck and query |
    /// | `usd_balance`, `vnd_balance`, `ngn_balance` | what the account starts with |
    /// | `callback_tutom`, `callback_paynicorn` | `http://ADDRESS:PORT/path` that is told of ended orders |
    ///
    /// # Errors
    /// A sentence that names the wrong key or value, and the known keys.
    pub fn parse(text: &str) -> Result<Faults, String> {
        let mut faults = Faults::default();
        for pair in text.split(',').map(str::trim).filter(|pair| !pair.is_empty()) {
            let (key, value) = pair
                .split_once('=')
                .ok_or_else(|| format!("fault `{pair}` has no value: write `{pair}=...`"))?;
            faults.set(key.trim(), value.trim())?;
        }
        Ok(faults)
    }

    fn set(&mut self, key: &str, value: &str) -> Result<(), String> {
        let wrong = |what: &str| format!("fault `{key}`: `{value}` is not {what}");
        if let Some(rate) = self.rate_named(key) {
            *rate = Rate::parse(value)
                .ok_or_else(|| wrong("a percentage from 0 to 100, such as `2` or `0.5`"))?;
        } else if let Some(time) = self.time_named(key) {
            *time = time_of(value).ok_or_else(|| wrong("a time such as `20ms`, `2s` or `48h`"))?;
        } else if let Some(flag) = self.flag_named(key) {
            *flag = match value {
                "0" => false,
                "1" => true,
                _ => return Err(wrong("`0` or `1`")),
            };
        } else if let Some((balance, scale)) = self.balance_named(key) {
            super::money::minor(value, scale).ok_or_else(|| wrong("an amount"))?;
            *balance = Some(value.to_owned());
        } else if let Some(code) = self.code_named(key) {
            *code = Some(value.to_owned());
        } else if let Some(callback) = self.callback_named(key) {
            *callback = Some(url_of(value).ok_or_else(|| wrong("`http://ADDRESS:PORT/path`"))?);
        } else {
            return self.set_rest(key, value);
        }
        Ok(())
    }

    fn set_rest(&mut self, key: &str, value: &str) -> Result<(), String> {
        let wrong = |what: &str| format!("fault `{key}`: `{value}` is not {what}");
        match key {
            "checksum" => {
                self.checksum_sha1 = match value {
                    "sha1" => true,
                    "sha256" => false,
                    _ => return Err(wrong("`sha1` or `sha256`")),
                };
            }
            "rate" => self.rate = Some(rate_of(value).ok_or_else(|| wrong("`N/s` or `N/m`"))?),
            "code_from" => self.code_from = value.parse().map_err(|_| wrong("a count"))?,
            "code_count" => self.code_count = value.parse().map_err(|_| wrong("a count"))?,
            _ => return Err(format!("no fault is called `{key}`; known: {}", KEYS.join(", "))),
        }
        Ok(())
    }

    fn rate_named(&mut self, key: &str) -> Option<&mut Rate> {
        Some(match key {
            "drop_before" => &mut self.drop_before,
            "drop_after" => &mut self.drop_after,
            "http502_before" => &mut self.http502_before,
            "http502_after" => &mut self.http502_after,
            "http429" => &mut self.http429,
            "html" => &mut self.html,
            "truncate" => &mut self.truncate,
            "close_after" => &mut self.close_after,
            "late" => &mut self.late,
            "throttle" => &mut self.throttle,
            "pending" => &mut self.pending,
            "pending_fail" => &mut self.pending_fail,
            "failed" => &mut self.failed,
            "ambiguous" => &mut self.ambiguous,
            "lookup_drop" => &mut self.lookup_drop,
            "lookup_502" => &mut self.lookup_502,
            "lookup_truncate" => &mut self.lookup_truncate,
            "reverse" => &mut self.reverse,
            _ => return None,
        })
    }

    fn time_named(&mut self, key: &str) -> Option<&mut Duration> {
        Some(match key {
            "reverse_after" => &mut self.reverse_after,
            "late_by" => &mut self.late_by,
            "latency" => &mut self.latency,
            "latency_jitter" => &mut self.latency_jitter,
            "reply_latency" => &mut self.reply_latency,
            "settle" => &mut self.settle,
            "not_found_for" => &mut self.not_found_for,
            _ => return None,
        })
    }

    fn flag_named(&mut self, key: &str) -> Option<&mut bool> {
        Some(match key {
            "duplicate_ok" => &mut self.duplicate_ok,
            "jsp_blank_lines" => &mut self.jsp_blank_lines,
            _ => return None,
        })
    }

    fn balance_named(&mut self, key: &str) -> Option<(&mut Option<String>, u32)> {
        Some(match key {
            "usd_balance" => (&mut self.tutom.balance, 4),
            "vnd_balance" => (&mut self.connect.balance, 0),
            "ngn_balance" => (&mut self.paynicorn.balance, 2),
            _ => return None,
        })
    }

    fn code_named(&mut self, key: &str) -> Option<&mut Option<String>> {
        Some(match key {
            "tutom_code" => &mut self.tutom.submit_code,
            "tutom_lookup_code" => &mut self.tutom.lookup_code,
            "connect_code" => &mut self.connect.submit_code,
            "connect_lookup_code" => &mut self.connect.lookup_code,
            "paynicorn_code" => &mut self.paynicorn.submit_code,
            "paynicorn_lookup_code" => &mut self.paynicorn.lookup_code,
            _ => return None,
        })
    }

    fn callback_named(&mut self, key: &str) -> Option<&mut Option<CallbackUrl>> {
        Some(match key {
            "callback_tutom" => &mut self.tutom.callback,
            "callback_paynicorn" => &mut self.paynicorn.callback,
            _ => return None,
        })
    }
}

fn time_of(text: &str) -> Option<Duration> {
    let split = text.find(|letter: char| !letter.is_ascii_digit())?;
    let (count, unit) = text.split_at(split);
    let count: u64 = count.parse().ok()?;
    let seconds = match unit {
        "ms" => return Some(Duration::from_millis(count)),
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => return None,
    };
    count.checked_mul(seconds).map(Duration::from_secs)
}

fn rate_of(text: &str) -> Option<(u64, Duration)> {
    let (count, unit) = text.split_once('/')?;
    let window = match unit {
        "s" => Duration::from_secs(1),
        "m" => Duration::from_secs(60),
        _ => return None,
    };
    Some((count.parse().ok()?, window))
}

fn url_of(text: &str) -> Option<CallbackUrl> {
    let rest = text.strip_prefix("http://")?;
    let (addr, path) = rest.split_once('/').unwrap_or((rest, ""));
    if !path.bytes().all(|byte| byte.is_ascii_graphic()) {
        return None;
    }
    let addr = addr.replace("localhost", "127.0.0.1").parse().ok()?;
    Some(CallbackUrl { addr, path: format!("/{path}") })
}
