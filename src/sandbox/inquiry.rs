//! A request as it arrived: the call, the method and its named fields, before any judgement.

/// The three providers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Provider {
    /// Tutom data refill, China.
    Tutom,
    /// CONNECT TOPUP, Vietnam.
    ConnectTopup,
    /// Paynicorn airtime, Nigeria.
    Paynicorn,
}

impl Provider {
    /// All of them.
    pub const ALL: [Provider; 3] = [Provider::Tutom, Provider::ConnectTopup, Provider::Paynicorn];

    /// The name in the charge log.
    pub fn name(self) -> &'static str {
        match self {
            Provider::Tutom => "tutom",
            Provider::ConnectTopup => "connect-topup",
            Provider::Paynicorn => "paynicorn",
        }
    }

    /// The currency and its decimals.
    pub fn currency(self) -> (&'static str, u32) {
        match self {
            Provider::Tutom => ("USD", 4),
            Provider::ConnectTopup => ("VND", 0),
            Provider::Paynicorn => ("NGN", 2),
        }
    }

    /// Reads a name of the charge log.
    pub fn named(name: &str) -> Option<Provider> {
        Provider::ALL.into_iter().find(|provider| provider.name() == name)
    }
}

/// What can be asked of Tutom.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TutomCall {
    List,
    ListByPhone,
    OrderCreate,
    OrderQuery,
}

/// What can be asked of CONNECT TOPUP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ConnectCall {
    Topup,
    Recheck,
    Balance,
}

/// What can be asked of Paynicorn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PaynicornCall {
    Topup,
    Query,
    OperatorCode,
    Goods,
}

/// Everything that can be asked of the three.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Call {
    Tutom(TutomCall),
    Connect(ConnectCall),
    Paynicorn(PaynicornCall),
}

impl Call {
    /// All of them.
    pub const ALL: [Call; 11] = [
        Call::Tutom(TutomCall::List),
        Call::Tutom(TutomCall::ListByPhone),
        Call::Tutom(TutomCall::OrderCreate),
        Call::Tutom(TutomCall::OrderQuery),
        Call::Connect(ConnectCall::Topup),
        Call::Connect(ConnectCall::Recheck),
        Call::Connect(ConnectCall::Balance),
        Call::Paynicorn(PaynicornCall::Topup),
        Call::Paynicorn(PaynicornCall::Query),
        Call::Paynicorn(PaynicornCall::OperatorCode),
        Call::Paynicorn(PaynicornCall::Goods),
    ];

    /// The path, as the document spells it.
    pub fn path(self) -> &'static str {
        match self {
            Call::Tutom(TutomCall::List) => "/gateway/flowapi/List",
            Call::Tutom(TutomCall::ListByPhone) => "/gateway/flowapi/ListByPhone",
            Call::Tutom(TutomCall::OrderCreate) => "/gateway/flowapi/OrderCreate",
            Call::Tutom(TutomCall::OrderQuery) => "/gateway/flowapi/OrderQuery",
            Call::Connect(ConnectCall::Topup) => "/apipayment/topup.jsp",
            Call::Connect(ConnectCall::Recheck) => "/apipayment/recheck.jsp",
            Call::Connect(ConnectCall::Balance) => "/apipayment/userbalance.jsp",
            Call::Paynicorn(PaynicornCall::Topup) => "/trade/topup/api/topup",
            Call::Paynicorn(PaynicornCall::Query) => "/trade/topup/api/query",
            Call::Paynicorn(PaynicornCall::OperatorCode) => "/trade/topup/api/queryOperatorCode",
            Call::Paynicorn(PaynicornCall::Goods) => "/trade/topup/api/queryGoods",
        }
    }

    /// The last part of the path.
    pub fn name(self) -> &'static str {
        self.path().rsplit('/').next().unwrap_or_default()
    }

    /// Whose call it is.
    pub fn provider(self) -> Provider {
        match self {
            Call::Tutom(_) => Provider::Tutom,
            Call::Connect(_) => Provider::ConnectTopup,
            Call::Paynicorn(_) => Provider::Paynicorn,
        }
    }

    /// The call of a provider that moves money.
    pub fn submit_of(provider: Provider) -> Call {
        match provider {
            Provider::Tutom => Call::Tutom(TutomCall::OrderCreate),
            Provider::ConnectTopup => Call::Connect(ConnectCall::Topup),
            Provider::Paynicorn => Call::Paynicorn(PaynicornCall::Topup),
        }
    }

    /// Whether it moves money.
    pub fn is_submit(self) -> bool {
        self == Call::submit_of(self.provider())
    }

    /// Whether it asks after one order.
    pub fn is_lookup(self) -> bool {
        [
            Call::Tutom(TutomCall::OrderQuery),
            Call::Connect(ConnectCall::Recheck),
            Call::Paynicorn(PaynicornCall::Query),
        ]
        .contains(&self)
    }

    /// The fields that tell one request from another, best first.
    fn key_fields(self) -> &'static [&'static str] {
        match self {
            Call::Tutom(TutomCall::List)
            | Call::Connect(ConnectCall::Balance)
            | Call::Paynicorn(PaynicornCall::Goods) => &[],
            Call::Tutom(TutomCall::ListByPhone) => &["mdn"],
            Call::Tutom(TutomCall::OrderCreate | TutomCall::OrderQuery) => &["orderid"],
            Call::Connect(ConnectCall::Topup) => &["transidclient", "phone"],
            Call::Connect(ConnectCall::Recheck) => &["transidclient", "idtransaction"],
            Call::Paynicorn(PaynicornCall::Topup | PaynicornCall::Query) => &["transId"],
            Call::Paynicorn(PaynicornCall::OperatorCode) => &["nationalPhoneNo"],
        }
    }
}

/// A request that is turned down: the code, and what is wrong with it if it breaks the document.
#[derive(Debug, Clone)]
pub struct Refusal {
    pub code: String,
    pub why: Option<String>,
}

impl Refusal {
    /// A request that breaks the document.
    pub fn malformed(code: &str, why: &str) -> Refusal {
        Refusal { code: code.to_owned(), why: Some(why.to_owned()) }
    }

    /// A request that is in order but cannot be granted.
    pub fn plain(code: &str) -> Refusal {
        Refusal { code: code.to_owned(), why: None }
    }
}

/// How a field was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Text,
    Number,
    Other,
}

/// One field: a parameter, or a member of a JSON object.
#[derive(Debug, Clone)]
pub struct Field {
    pub name: String,
    pub value: String,
    pub kind: Kind,
}

/// What a field must be.
#[derive(Debug, Clone, Copy)]
pub struct Rule {
    pub name: &'static str,
    pub required: bool,
    pub kind: Kind,
    pub most: usize,
}

/// A required text field of at most so many characters.
pub const fn must(name: &'static str, most: usize) -> Rule {
    Rule { name, required: true, kind: Kind::Text, most }
}

/// An optional text field of at most so many characters.
pub const fn may(name: &'static str, most: usize) -> Rule {
    Rule { name, required: false, kind: Kind::Text, most }
}

/// A field that breaks a rule, and which: `name` is the field's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Misfit {
    pub name: String,
    pub why: String,
}

/// An answer of a gateway that stands before the protocol itself: it could not read the request.
#[derive(Debug, Clone)]
pub struct Unread {
    pub code: &'static str,
    pub message: &'static str,
    pub why: String,
}

/// A request as it arrived.
#[derive(Debug, Clone)]
pub struct Inquiry {
    pub call: Call,
    pub method: String,
    pub fields: Vec<Field>,
    /// It came in a signed envelope, and the answer goes in one.
    pub wrapped: bool,
    /// The application key on the envelope.
    pub envelope_key: String,
    pub unread: Option<Unread>,
}

impl Inquiry {
    /// A field's text; a field that is missing or no text or number reads as empty.
    pub fn get(&self, name: &str) -> &str {
        self.fields
            .iter()
            .find(|field| field.name == name && field.kind != Kind::Other)
            .map_or("", |field| field.value.as_str())
    }

    /// Whether a field is there at all.
    pub fn has(&self, name: &str) -> bool {
        self.fields.iter().any(|field| field.name == name)
    }

    /// What tells this request from others of its call; faults are drawn by it.
    pub fn key(&self) -> &str {
        self.call
            .key_fields()
            .iter()
            .map(|name| self.get(name))
            .find(|value| !value.is_empty())
            .unwrap_or_default()
    }

    /// Checks that every field is known, stands once, is of its kind and not too long, and that none
    /// is missing.
    pub fn misfit(&self, rules: &[Rule]) -> Option<Misfit> {
        let misfit = |name: &str, why: String| Some(Misfit { name: name.to_owned(), why });
        for field in &self.fields {
            let name: String = field.name.chars().take(40).collect();
            let Some(rule) = rules.iter().find(|rule| rule.name == field.name) else {
                return misfit(&name, format!("unknown field {name}"));
            };
            if self.fields.iter().filter(|other| other.name == field.name).count() > 1 {
                return misfit(&name, format!("field {name} stands twice"));
            }
            if rule.kind != field.kind {
                return misfit(&name, format!("field {name} is of another type"));
            }
            if field.value.chars().count() > rule.most {
                return misfit(&name, format!("field {name} is longer than {}", rule.most));
            }
        }
        let missing = rules.iter().find(|rule| rule.required && self.get(rule.name).is_empty())?;
        misfit(missing.name, format!("field {} is missing", missing.name))
    }
}

/// Reads `application/x-www-form-urlencoded` text.
pub fn form(text: &[u8]) -> Vec<Field> {
    url::form_urlencoded::parse(text)
        .map(|(name, value)| Field { name: name.into_owned(), value: value.into_owned(), kind: Kind::Text })
        .collect()
}
