//! What letters say that bring a link. They are not sent by way of an inbox, where whoever has a session
//! would read a link that is to prove who they are.

/// The words of one letter.
struct Words {
    word: &'static str,
    locale: &'static str,
    subject: &'static str,
    text: &'static str,
}

const WORDS: [Words; 6] = [
    Words {
        word: "signIn",
        locale: "en",
        subject: "Sign in to {site}",
        text: "Open this link to sign in to {site}. It is good once, for 15 minutes:\n\n{link}\n\n\
               If you did not ask for it, do nothing: without the link nobody can sign in by it.\n",
    },
    Words {
        word: "signIn",
        locale: "sv",
        subject: "Logga in på {site}",
        text: "Öppna länken för att logga in på {site}. Den gäller en gång, i 15 minuter:\n\n{link}\n\n\
               Om du inte har bett om den behöver du inte göra något.\n",
    },
    Words {
        word: "newPassword",
        locale: "en",
        subject: "A new password for {site}",
        text: "Open this link to choose another password for {site}. It is good once, for 15 \
               minutes, and ends all your sessions:\n\n{link}\n\n\
               If you did not ask for it, do nothing: your password stays as it is.\n",
    },
    Words {
        word: "newPassword",
        locale: "sv",
        subject: "Nytt lösenord för {site}",
        text: "Öppna länken för att välja ett nytt lösenord för {site}. Den gäller en gång, i 15 \
               minuter, och avslutar alla dina sessioner:\n\n{link}\n\n\
               Om du inte har bett om den behöver du inte göra något.\n",
    },
    Words {
        word: "email",
        locale: "en",
        subject: "Your address at {site}",
        text: "Open this link to say that this address is yours. It is good once, for a day:\n\n\
               {link}\n\nIf you have no account at {site}, do nothing.\n",
    },
    Words {
        word: "email",
        locale: "sv",
        subject: "Din adress hos {site}",
        text: "Öppna länken för att bekräfta att adressen är din. Den gäller en gång, i ett dygn:\n\n\
               {link}\n\nOm du inte har något konto hos {site} behöver du inte göra något.\n",
    },
];

/// The subject and the text of a letter, in a user's language where it is written in that.
pub(crate) fn write(word: &str, locale: &str, site: &str, link: &str) -> (String, String) {
    let language = locale.split('-').next().unwrap_or_default();
    let of = |wanted: &str| WORDS.iter().find(|it| it.word == word && it.locale == wanted);
    let Some(words) = of(language).or_else(|| of("en")) else { return Default::default() };
    let filled = |text: &str| text.replace("{link}", link).replace("{site}", site);
    (filled(words.subject), filled(words.text))
}
