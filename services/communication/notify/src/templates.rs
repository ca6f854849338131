//! Templates: the words of a notification, with holes for what only its sender knows.
//!
//! They have no logic, and give plain text. `{{name}}` is replaced by the value of `name`, which
//! is taken as it is and not looked at again.

use std::collections::BTreeMap;

use stoa_kit::{Error, Reason as _, Result};
use stoa_notify_v1::Reason;

/// The words of a notification in one language.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Template {
    /// What senders call it: `orders.placed`.
    pub name: &'static str,
    /// The language, a BCP 47 tag.
    pub locale: &'static str,
    /// What it is about, in a line.
    pub subject: &'static str,
    /// What it says.
    pub text: &'static str,
}

/// The language of users who name none, or one that a template is not written in.
const LOCALE_DEFAULT: &str = "en";

/// The templates of Stoa's own services.
pub(crate) const STANDARD: &[Template] = &[
    Template {
        name: "orders.placed",
        locale: "en",
        subject: "Your order {{order_id}}",
        text: "Thank you for your order {{order_id}} over {{total}}.",
    },
    Template {
        name: "orders.placed",
        locale: "sv",
        subject: "Din beställning {{order_id}}",
        text: "Tack för din beställning {{order_id}} på {{total}}.",
    },
    Template {
        name: "orders.cancelled",
        locale: "en",
        subject: "Your order {{order_id}} is cancelled",
        text: "Your order {{order_id}} is cancelled. You are no longer charged {{total}}.",
    },
    Template {
        name: "orders.cancelled",
        locale: "sv",
        subject: "Din beställning {{order_id}} är avbeställd",
        text: "Din beställning {{order_id}} är avbeställd. {{total}} dras inte längre.",
    },
    Template {
        name: "auth.new_device",
        locale: "en",
        subject: "Somebody signed in from somewhere new",
        text: "Somebody signed in to your account from a network that you did not use before. If that \
               was not you, end the session and choose another password.",
    },
    Template {
        name: "auth.new_device",
        locale: "sv",
        subject: "Någon loggade in från ett nytt ställe",
        text: "Någon loggade in på ditt konto från ett nätverk som du inte har använt förut. Om det \
               inte var du, avsluta sessionen och välj ett nytt lösenord.",
    },
    Template {
        name: "auth.password_removed",
        locale: "en",
        subject: "You sign in with another account",
        text: "You showed with an account elsewhere that the address of your account is yours. Nobody had \
               shown that before, so the password that somebody had set is not good any more.",
    },
    Template {
        name: "auth.password_removed",
        locale: "sv",
        subject: "Du loggar in med ett annat konto",
        text: "Du visade med ett konto någon annanstans att ditt kontos adress är din. Ingen hade visat det \
               förut, så lösenordet som någon hade valt gäller inte längre.",
    },
    Template {
        name: "auth.factors_changed",
        locale: "en",
        subject: "What your account asks for has changed",
        text: "A code, a passkey or another second factor of your account was set up or taken away. If \
               that was not you, ask an administrator for help at once.",
    },
    Template {
        name: "auth.factors_changed",
        locale: "sv",
        subject: "Det som ditt konto frågar efter har ändrats",
        text: "En kod, en passnyckel eller en annan andra faktor för ditt konto lades till eller togs \
               bort. Om det inte var du, be genast en administratör om hjälp.",
    },
];

impl Template {
    /// Whether it is well formed, whatever its variables will be.
    ///
    /// # Errors
    /// `notify.malformed_template`, naming the template.
    pub fn check(&self) -> Result<()> {
        let any = |_: &str| Ok("");
        fill(self.name, self.subject, any)?;
        fill(self.name, self.text, any).map(|_| ())
    }

    /// The subject and the text with the values of their variables.
    ///
    /// # Errors
    /// `notify.unknown_variable`, naming the first variable without a value, or
    /// `notify.malformed_template`.
    pub(crate) fn render(&self, data: &BTreeMap<String, String>) -> Result<(String, String)> {
        let value = |variable: &str| {
            data.get(variable).map(String::as_str).ok_or_else(|| {
                Reason::UnknownVariable
                    .because(format!("template `{}` needs a value for `{variable}`", self.name))
            })
        };
        let subject = fill(self.name, self.subject, value)?;
        // A subject is one line, whatever the values are.
        let subject = subject.replace(['\r', '\n'], " ");
        Ok((subject, fill(self.name, self.text, value)?))
    }
}

/// The template of a name in the language that comes nearest to a locale: the locale itself, its
/// language without a region, or the default.
///
/// # Errors
/// `notify.unknown_template`.
pub(crate) fn find<'t>(
    templates: &'t [Template], name: &str, locale: &str,
) -> Result<&'t Template> {
    let language = locale.split('-').next().unwrap_or_default();
    let mut nearest = [locale, language, LOCALE_DEFAULT].into_iter().filter_map(|wanted| {
        templates
            .iter()
            .find(|template| template.name == name && template.locale.eq_ignore_ascii_case(wanted))
    });
    nearest
        .next()
        .ok_or_else(|| Reason::UnknownTemplate.because(format!("there is no template `{name}`")))
}

/// Replaces each variable of a text by its value.
fn fill<'v>(name: &str, text: &str, value: impl Fn(&str) -> Result<&'v str>) -> Result<String> {
    let mut out = String::with_capacity(text.len() + 64);
    let mut rest = text;
    while let Some((before, hole)) = rest.split_once("{{") {
        let (variable, after) = hole
            .split_once("}}")
            .ok_or_else(|| malformed(name, "a variable is opened by `{{` and never closed"))?;
        let variable = variable.trim();
        if !is_name(variable) {
            return Err(malformed(name, &format!("`{variable}` cannot be a variable's name")));
        }
        out.push_str(before);
        out.push_str(value(variable)?);
        rest = after;
    }
    out.push_str(rest);
    Ok(out)
}

fn is_name(variable: &str) -> bool {
    let letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    !variable.is_empty() && variable.bytes().all(letter)
}

fn malformed(name: &str, what: &str) -> Error {
    Reason::MalformedTemplate.because(format!("template `{name}`: {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn template(text: &'static str) -> Template {
        Template { name: "test", locale: "en", subject: "About {{ what }}", text }
    }

    fn data(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn standard_templates_are_well_formed() {
        STANDARD.iter().for_each(|template| template.check().unwrap());
    }

    #[test]
    fn values_are_taken_as_they_are() {
        let data = data(&[("what", "a\nb"), ("who", "{{what}} <b>")]);
        let (subject, text) = template("Hi {{who}}! }} {").render(&data).unwrap();
        assert_eq!((subject.as_str(), text.as_str()), ("About a b", "Hi {{what}} <b>! }} {"));
    }

    #[test]
    fn a_variable_without_a_value_is_named() {
        let error = template("{{who}}").render(&data(&[("what", "x")])).unwrap_err();
        assert_eq!(error.reason(), "notify.unknown_variable");
        assert!(error.message().contains("`who`"), "{error}");
    }

    #[test]
    fn malformed_templates_are_refused_before_use() {
        for text in ["{{who", "{{}}", "{{#each who}}", "{{a b}}", "{{WHO}}"] {
            let error = template(text).check().unwrap_err();
            assert_eq!(error.reason(), "notify.malformed_template", "{text}");
        }
    }

    #[test]
    fn the_nearest_language_is_chosen() {
        let locale = |wanted: &str| find(STANDARD, "orders.placed", wanted).unwrap().locale;
        assert_eq!(
            (locale("sv-FI"), locale("SV"), locale("de"), locale("")),
            ("sv", "sv", "en", "en")
        );
        assert_eq!(
            find(STANDARD, "no.such", "en").unwrap_err().reason(),
            "notify.unknown_template"
        );
    }
}
