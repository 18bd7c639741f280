//! Mail: one message by SMTP, and what the server's answer means.
//!
//! A refusal for good (5xx) of an account or a mailbox is tried again all the same, because people repair such
//! things and the alarm must still reach them; only what the server says of the message itself is taken for its
//! fault.

use std::time::Duration;

use lettre::message::header::ContentType;
use lettre::message::{Mailbox, Mailboxes};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, CertificateStore, Tls, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use lettre::{AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor};
use secrecy::ExposeSecret;
use tokio::time::timeout;

use crate::notify::http::{Answer, SetupFault, Verdict};
use crate::notify::options::{MailOptions, MailTls};
use crate::units::Millis;

/// Replies about the message itself: too large, and refused as it is.
const ABOUT_THE_MESSAGE: [u16; 2] = [552, 554];

/// One recipient of mail.
pub(super) struct Mailer {
    pub(super) name: String,
    gateway: String,
    from: Mailbox,
    to: Mailboxes,
    transport: AsyncSmtpTransport<Tokio1Executor>,
    within: Millis,
}

impl Mailer {
    pub(super) fn new(options: &MailOptions, gateway: &str) -> Result<Self, SetupFault> {
        let address = |text: &String| {
            text.parse::<Mailbox>()
                .map_err(|_| SetupFault::Address { target: options.name.clone(), address: text.clone() })
        };
        let to: Vec<Mailbox> = options.to.iter().map(address).collect::<Result<_, _>>()?;
        let tls = match options.tls {
            MailTls::Implicit => Tls::Wrapper(tls(options)?),
            MailTls::StartTls => Tls::Required(tls(options)?),
            MailTls::Plain => Tls::None,
        };
        let mut transport = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&options.server)
            .port(options.port)
            .tls(tls)
            .timeout(Some(Duration::from_millis(options.timeout.0)))
            .hello_name(ClientId::Domain(gateway.to_owned()));
        if let Some((user, password)) = &options.login {
            let password = password.expose_secret().to_owned();
            transport = transport.credentials(Credentials::new(user.clone(), password));
        }
        Ok(Self {
            name: options.name.clone(),
            gateway: gateway.to_owned(),
            from: address(&options.from)?,
            to: to.into_iter().collect(),
            transport: transport.build(),
            within: options.timeout,
        })
    }

    pub(super) async fn send(&self, id: &str, subject: &str, text: &[u8]) -> Verdict {
        let answer = self.ask(id, subject, text).await;
        match answer.status {
            Some(status) if (200..300).contains(&status) => Verdict::Delivered,
            Some(status) if ABOUT_THE_MESSAGE.contains(&status) => {
                Verdict::Wrong { why: format!("answered {status} {}", answer.line) }
            }
            Some(status) => {
                Verdict::Failed { why: format!("answered {status} {}", answer.line), after: None }
            }
            None => Verdict::Failed { why: answer.line, after: None },
        }
    }

    pub(super) async fn ask(&self, id: &str, subject: &str, text: &[u8]) -> Answer {
        let failed = |line: String| Answer { status: None, line };
        let mut message = Message::builder()
            .from(self.from.clone())
            // The same on each try: a mail that comes twice is known by it.
            .message_id(Some(format!("<{id}@{}>", self.gateway)))
            .subject(subject)
            .header(ContentType::TEXT_PLAIN);
        for mailbox in self.to.iter() {
            message = message.to(mailbox.clone());
        }
        let message = match message.body(String::from_utf8_lossy(text).into_owned()) {
            Ok(message) => message,
            Err(error) => return failed(error.to_string()),
        };
        match timeout(Duration::from_millis(self.within.0), self.transport.send(message)).await {
            Err(_) => failed(format!("no answer within {} s", self.within.0 / 1000)),
            Ok(Ok(response)) => {
                let line = response.first_line().unwrap_or_default().to_owned();
                Answer { status: Some(u16::from(response.code())), line }
            }
            Ok(Err(error)) => Answer { status: error.status().map(u16::from), line: cause(&error) },
        }
    }
}

/// Whether this can be written to.
pub(super) fn is_address(text: &str) -> bool {
    text.parse::<Mailbox>().is_ok()
}

/// The innermost cause, without control characters: a server must not steer the terminal that shows it.
fn cause(error: &lettre::transport::smtp::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string().chars().filter(|letter| !letter.is_control()).collect()
}

fn tls(options: &MailOptions) -> Result<TlsParameters, SetupFault> {
    let fault = |why: String| SetupFault::Authority { target: options.name.clone(), why };
    let mut tls = TlsParameters::builder(options.server.clone());
    if let Some(path) = &options.ca {
        let pem = std::fs::read(path).map_err(|error| fault(error.to_string()))?;
        let authority = Certificate::from_pem(&pem).map_err(|error| fault(error.to_string()))?;
        tls = tls.certificate_store(CertificateStore::None).add_root_certificate(authority);
    }
    tls.build().map_err(|error| fault(error.to_string()))
}
