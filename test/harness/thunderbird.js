// What Thunderbird is made to do, in its chrome context: thunderbird.py calls one function at a time.
/* global arguments, Cc, Ci, ChromeUtils, Components, Services */
const { MailServices } = ChromeUtils.importESModule("resource:///modules/MailServices.sys.mjs");
const { setTimeout } = ChromeUtils.importESModule("resource://gre/modules/Timer.sys.mjs");

const PASSWORD_IN_THE_CLEAR = 3;
const FROM_FIRST_BYTE = 3, STARTTLS = 2;

const incoming = () => MailServices.accounts.defaultAccount.incomingServer;

/** Until found() gives something; what is asked for is there as soon as Thunderbird has read the server's answer. */
async function until(found) {
  for (;;) {
    const value = found();
    if (value) return value;
    await new Promise(resolve => setTimeout(resolve, 20));
  }
}

function folder(path) {
  let at = incoming().rootFolder;
  for (const name of path.split("/")) at = at.getChildNamed(name) ?? fail(`no folder ${path}`);
  return at;
}

function fail(why) {
  throw new Error(why);
}

function check(status, what) {
  if (!Components.isSuccessCode(status)) fail(`${what}: 0x${(status >>> 0).toString(16)}`);
}

/** Calls start(listener) and waits for the end of the URL that it runs. */
function url(what, start) {
  return new Promise((resolve, reject) => {
    start({
      QueryInterface: ChromeUtils.generateQI(["nsIUrlListener"]),
      OnStartRunningUrl() {},
      OnStopRunningUrl(_, status) {
        try { resolve(check(status, what)); } catch (e) { reject(e); }
      },
    });
  });
}

function copying(what, start) {
  return new Promise((resolve, reject) => {
    start({
      QueryInterface: ChromeUtils.generateQI(["nsIMsgCopyServiceListener"]),
      onStartCopy() {}, onProgress() {}, setMessageKey() {}, getMessageId() { return ""; },
      onStopCopy(status) {
        try { resolve(check(status, what)); } catch (e) { reject(e); }
      },
    });
  });
}

function header(path, subject) {
  for (const h of folder(path).messages) if (h.mime2DecodedSubject === subject) return h;
  return fail(`no message "${subject}" in ${path}`);
}

function file(text) {
  const path = Services.dirsvc.get("TmpD", Ci.nsIFile);
  path.append("letter.eml");
  path.createUnique(Ci.nsIFile.NORMAL_FILE_TYPE, 0o600);
  const out = Cc["@mozilla.org/network/file-output-stream;1"].createInstance(Ci.nsIFileOutputStream);
  out.init(path, -1, -1, 0);
  out.write(text, text.length);
  out.close();
  return path;
}

const functions = {
  /** An account as its owner would set it up, with the certificate accepted once and for all. */
  async setUp({ address, certificate, imap, smtp, implicit, user, password }) {
    const cert = Cc["@mozilla.org/security/x509certdb;1"].getService(Ci.nsIX509CertDB).constructX509FromBase64(certificate);
    const accepted = Cc["@mozilla.org/security/certoverride;1"].getService(Ci.nsICertOverrideService);
    for (const port of [imap, smtp]) accepted.rememberValidityOverride(address, port, {}, cert, false);

    const server = MailServices.accounts.createIncomingServer(user, address, "imap");
    server.port = imap;
    server.socketType = implicit ? FROM_FIRST_BYTE : STARTTLS;
    server.authMethod = PASSWORD_IN_THE_CLEAR;
    server.password = password;
    server.loginAtStartUp = false;
    server.doBiff = false;

    const out = MailServices.outgoingServer.createServer("smtp");
    out.QueryInterface(Ci.nsISmtpServer);
    out.hostname = address;
    out.port = smtp;
    out.socketType = server.socketType;
    out.authMethod = PASSWORD_IN_THE_CLEAR;
    out.username = user;
    out.password = password;

    const identity = MailServices.accounts.createIdentity();
    identity.email = user;
    identity.fullName = "Tom";
    identity.smtpServerKey = out.key;
    identity.doFcc = true;
    identity.fccFolderURI = `${server.serverURI}/Sent`;
    const account = MailServices.accounts.createAccount();
    account.incomingServer = server;
    account.addIdentity(identity);
    MailServices.accounts.defaultAccount = account;
  },

  /** After a new start: the account is known, and the certificate. */
  signOn(password) {
    incoming().password = password;
  },

  /** Lists the mailboxes, until all of these are there. */
  async list(names) {
    incoming().performExpand(null);
    await until(() => names.every(name => incoming().rootFolder.getChildNamed(name)));
  },

  role(path) {
    const roles = { inbox: "Inbox", archive: "Archive", drafts: "Drafts", junk: "Junk", sent: "SentMail", trash: "Trash" };
    return Object.keys(roles).filter(r => folder(path).getFlag(Ci.nsMsgFolderFlags[roles[r]]));
  },

  /** Opens a mailbox, until these are its messages, in their order. */
  async show(path, subjects) {
    folder(path).updateFolder(null);
    await until(() => [...folder(path).messages].map(h => h.mime2DecodedSubject).join("\n") === subjects.join("\n"));
  },

  /** Until there is a message of this subject, without asking the server: by IDLE. */
  async arrived(path, subject) {
    await until(() => [...folder(path).messages].some(h => h.mime2DecodedSubject === subject));
  },

  /** Until a message has the flags that somebody else set. */
  async seen(path, subject) {
    await until(() => header(path, subject).isRead);
  },

  async text(path, subject) {
    const h = header(path, subject);
    const uri = h.folder.getUriForMsg(h);
    let text = "";
    await new Promise((resolve, reject) => {
      MailServices.messageServiceFromURI(uri).streamMessage(uri, {
        QueryInterface: ChromeUtils.generateQI(["nsIStreamListener", "nsIRequestObserver"]),
        onStartRequest() {},
        onStopRequest(_, status) {
          try { resolve(check(status, uri)); } catch (e) { reject(e); }
        },
        onDataAvailable(_, stream, offset, count) {
          const binary = Cc["@mozilla.org/binaryinputstream;1"].createInstance(Ci.nsIBinaryInputStream);
          binary.setInputStream(stream);
          text += binary.readBytes(count);
        },
      }, null, null, false, "");
    });
    return text;
  },

  download(path) {
    folder(path).setFlag(Ci.nsMsgFolderFlags.Offline);
    return url(`download ${path}`, listener => folder(path).downloadAllForOffline(listener, null));
  },

  mark(path, subject, { read, flagged, keyword }) {
    const h = header(path, subject);
    if (read !== undefined) folder(path).markMessagesRead([h], read);
    if (flagged !== undefined) folder(path).markMessagesFlagged([h], flagged);
    if (keyword) folder(path).addKeywordsToMessages([h], keyword);
  },

  copy(from, subject, to, move) {
    return copying(`copy to ${to}`, listener =>
      MailServices.copy.copyMessages(folder(from), [header(from, subject)], folder(to), move, listener, null, false));
  },

  append(path, text) {
    return copying(`append to ${path}`, listener =>
      MailServices.copy.copyFileMessage(file(text), folder(path), null, false, 0, "", listener, null));
  },

  /** At once, or into Trash. */
  remove(path, subject, atOnce) {
    return copying(`delete in ${path}`, listener =>
      folder(path).deleteMessages([header(path, subject)], null, atOnce, false, listener, false));
  },

  compact(path) {
    return url(`compact ${path}`, listener => folder(path).compact(listener, null));
  },

  emptyTrash() {
    return url("empty trash", listener => folder("Trash").emptyTrash(listener));
  },

  async create(name) {
    incoming().rootFolder.createSubfolder(name, null);
    await until(() => incoming().rootFolder.getChildNamed(name));
  },

  async rename(path, name) {
    folder(path).rename(name, null);
    await until(() => incoming().rootFolder.getChildNamed(name));
  },

  /** By the server: the subjects of what it found. */
  async search(path, attribute, text) {
    const session = Cc["@mozilla.org/messenger/searchSession;1"].createInstance(Ci.nsIMsgSearchSession);
    const found = [];
    session.addScopeTerm(Ci.nsMsgSearchScope.onlineMail, folder(path));
    const term = session.createTerm();
    const value = term.value;
    term.attrib = value.attrib = Ci.nsMsgSearchAttrib[attribute];
    term.op = Ci.nsMsgSearchOp.Contains;
    value.str = text;
    term.value = value;
    session.appendTerm(term);
    await new Promise((resolve, reject) => {
      session.registerListener({
        QueryInterface: ChromeUtils.generateQI(["nsIMsgSearchNotify"]),
        onSearchHit(h) { found.push(h.mime2DecodedSubject); },
        onSearchDone(status) {
          try { resolve(check(status, `search in ${path}`)); } catch (e) { reject(e); }
        },
        onNewSearch() {},
      });
      session.search(null);
    });
    return found;
  },

  /** Sends it, and keeps a copy in Sent. */
  send(to, subject, text) {
    const fields = Cc["@mozilla.org/messengercompose/composefields;1"].createInstance(Ci.nsIMsgCompFields);
    const identity = MailServices.accounts.defaultAccount.defaultIdentity;
    fields.from = identity.email;
    fields.to = to;
    fields.subject = subject;
    fields.fcc = identity.fccFolderURI;
    return new Promise((resolve, reject) => {
      const listener = {
        QueryInterface: ChromeUtils.generateQI(["nsIMsgSendListener", "nsIMsgCopyServiceListener"]),
        onStartSending() {}, onSendProgress() {}, onStatus() {}, onGetDraftFolderURI() {}, onSendNotPerformed() {},
        onTransportSecurityError(id, status) { reject(new Error(`sending: 0x${(status >>> 0).toString(16)}`)); },
        onStopSending(id, status) {
          try { check(status, "sending"); } catch (e) { reject(e); }
        },
        onStartCopy() {}, onProgress() {}, setMessageKey() {}, getMessageId() { return ""; },
        onStopCopy(status) {
          try { resolve(check(status, "the copy in Sent")); } catch (e) { reject(e); }
        },
      };
      Cc["@mozilla.org/messengercompose/send;1"].createInstance(Ci.nsIMsgSend).sendMessageFile(
        identity, MailServices.accounts.defaultAccount.key, fields, file(text), false, false, Ci.nsIMsgSend.nsMsgDeliverNow,
        null, listener, "");
    });
  },
};

const [name, given, done] = arguments;
(async () => functions[name](...given))().then(value => done({ value }), error => done({ error: `${error}\n${error?.stack}` }));
