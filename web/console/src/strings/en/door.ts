/** The door before all pages: how somebody comes in. */
export const door = {
  signIn: "Sign in",
  login: "Handle or e-mail address",
  password: "Password",
  passwordHelp: "Ten characters or more.",
  strength: "How good it is",
  strengths: ["guessed at once", "guessed soon", "so-so", "hard to guess", "very hard to guess"],
  forgot: "Forgot the password?",
  or: "or",
  passkey: "Use a passkey",
  link: "Get a link by mail",
  signInWith: (name: string) => `Go on with ${name}`,
  back: "Back",
  /** What a session of this browser is called among others. */
  session: "console",
  second: "One more step",
  secondVerb: "Go on",
  secondCode: "Code",
  secondPasskey: "A password alone is not enough for this account.",
  codeOrRecovery: "The six digits that your authenticator app shows, or a recovery code.",
  recoveryCode: "Recovery code",
  recoveryHelp: "Where the passkey is not at hand: one of those that you printed.",
  letters: {
    link: {
      title: "Sign in by a link",
      lead: "It comes by mail, and signs in once.",
      verb: "Send the link",
    },
    reset: {
      title: "Choose another password",
      lead: "By a link that comes by mail.",
      verb: "Send the link",
    },
  },
  sent: "Look into your mail",
  sentLead:
    "If there is such an account, a link is on its way to it. It is good once, for 15 minutes.",
  mailed: {
    signIn: {
      title: "Sign in",
      lead: "This link signs in, once.",
      verb: "Sign in",
    },
    newPassword: {
      title: "Choose another password",
      lead: "All sessions of yours end with it.",
      verb: "Set the password",
    },
    email: {
      title: "Your address",
      lead: "Say that the address which this link was sent to is yours.",
      verb: "It is mine",
    },
  },
  setUp: "Create the administrator",
  setUpVerb: "Create administrator",
  setUpLead: "This node is new. Whoever has its code becomes its administrator.",
  code: "Set-up code",
  codeHelp: "The node printed it as it started.",
  handle: "Handle",
  handleHelp: "A short name to sign in with: letters and digits, and . _ - between them.",
  email: "E-mail address",
};

/** A proof of a moment ago, where a call takes one. */
export const proof = {
  title: "Is it you?",
  lead: "This takes a proof of a moment ago.",
  verb: "Go on",
  noPassword: "There is no password yet? Have a link sent that sets one, at the door.",
  noPasskey: "Open the console at the address that your passkey is of.",
};
