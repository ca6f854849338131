//! Private PostgreSQL clusters: on a socket of their own, with no port and no password.
//!
//! To make a cluster takes a second, and every test is a process of its own: a cluster for each
//! would cost more than the tests. So the first test that needs one starts it for all, and every
//! process that uses it holds a shared lock on a file for as long as it lives. A small shell
//! script beside the cluster watches that lock, which no crash can leave behind, and ends the
//! cluster a minute after the last user has gone. `STOA_TEST_POSTGRES`, the URL of a superuser,
//! makes the tests use another server instead.

#![allow(clippy::disallowed_methods, reason = "a server is started and waited for out here")]

use std::error::Error;
use std::fs::{File, OpenOptions, Permissions};
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tempfile::TempDir;
use tokio_postgres::NoTls;

type Result<T, E = Box<dyn Error>> = std::result::Result<T, E>;

/// What a socket is called after.
const PORT: u16 = 5432;
/// How often a server that starts is asked whether it is there, every 20 ms.
const STARTING_MAX: u32 = 1_500;

/// Ends a cluster that nobody uses: `$1` its directory, the server's command after it. The lock
/// stays held while the cluster is taken down, so that nobody finds half of one. What the first
/// test inherited, a lock or a pipe of whoever ran it, must not stay open as long as the cluster.
const KEEPER: &str = r#"
exec 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&-
directory=$1; shift
"$@" &
server=$!
exec 9<"$directory/users"
idle=0
while kill -0 $server 2>/dev/null && [ $idle -lt 12 ]; do
    sleep 5
    if flock --nonblock --exclusive 9; then
        idle=$((idle + 1))
        [ $idle -lt 12 ] && flock --unlock 9
    else
        idle=0
    fi
done
kill -INT $server 2>/dev/null
wait $server
rm -rf "$directory/data"
"#;

/// An empty database; it is dropped with the value.
pub struct Database {
    url: String,
    name: String,
    admin: String,
}

impl Database {
    /// Where it is.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Runs statements in it, as its superuser.
    ///
    /// # Errors
    /// Those of the server.
    pub fn execute(&self, sql: &str) -> Result<()> {
        execute(&self.url, sql)
    }

    /// The first column of the first row that a query gives, as text.
    ///
    /// # Errors
    /// Those of the server, also where there is no row.
    pub fn text(&self, sql: &str) -> Result<String> {
        text(&self.url, sql)
    }

    /// Another one with the same in it. Nobody may be connected to this one.
    ///
    /// # Errors
    /// Those of the server.
    pub fn copy(&self) -> Result<Self> {
        Self::create(&self.admin, &self.name)
    }

    fn create(admin: &str, template: &str) -> Result<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let next = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("test_{}_{next}", std::process::id());
        execute(admin, &format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"))?;
        execute(admin, &format!("CREATE DATABASE {name} TEMPLATE {template}"))?;
        Ok(Self { url: beside(admin, &name), name, admin: admin.to_owned() })
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        // The server may be gone, as some tests want it.
        let _ = execute(&self.admin, &format!("DROP DATABASE {} WITH (FORCE)", self.name));
    }
}

/// A fresh database on the cluster that all tests share. It does not survive the machine:
/// `fsync` is off.
///
/// # Panics
/// Where no server can be started: a test without one must not pass.
#[allow(clippy::panic, reason = "a test that cannot have its database must fail, not pass")]
pub fn shared() -> Database {
    Database::create(admin(), "template0")
        .unwrap_or_else(|error| panic!("no database for the test: {error}"))
}

/// A database like all that are asked for by this name; the first who asks fills it. To copy one
/// takes a tenth of the time that it takes to make its tables.
///
/// # Panics
/// As [`shared`].
#[allow(clippy::panic, reason = "a test that cannot have its database must fail, not pass")]
pub(crate) fn filled(name: &str, fill: impl FnOnce(&str)) -> Database {
    let made = || -> Result<Database> {
        let admin = admin();
        let template = format!("template_{name}");
        let gate = open(&directory()?, "templates")?;
        gate.lock()?;
        let known = format!("SELECT count(*) FROM pg_database WHERE datname = '{template}'");
        if text(admin, &known)? == "0" {
            // It has its name when it is whole: whoever died before left nothing to be found.
            let unfinished = format!("unfinished_{name}");
            execute(admin, &format!("DROP DATABASE IF EXISTS {unfinished} WITH (FORCE)"))?;
            execute(admin, &format!("CREATE DATABASE {unfinished} TEMPLATE template0"))?;
            fill(&beside(admin, &unfinished));
            execute(admin, &format!("ALTER DATABASE {unfinished} RENAME TO {template}"))?;
        }
        drop(gate);
        Database::create(admin, &template)
    };
    made().unwrap_or_else(|error| panic!("no database for the test: {error}"))
}

/// The URL of the shared cluster's superuser.
#[allow(clippy::panic, reason = "a test that cannot have its database must fail, not pass")]
fn admin() -> &'static str {
    static ADMIN: OnceLock<(String, Option<File>)> = OnceLock::new();
    let (admin, _users) = ADMIN.get_or_init(|| match std::env::var("STOA_TEST_POSTGRES") {
        Ok(url) if !url.is_empty() => (url, None),
        _ => join().map(|(url, users)| (url, Some(users))).unwrap_or_else(|error| {
            panic!("no PostgreSQL for the tests: {error}");
        }),
    });
    admin
}

/// The URL of another database on the same server.
fn beside(admin: &str, name: &str) -> String {
    let (address, options) = admin.split_once('?').unwrap_or((admin, ""));
    let server = address.rsplit_once('/').map_or(address, |(server, _)| server);
    let mark = if options.is_empty() { "" } else { "?" };
    format!("{server}/{name}{mark}{options}")
}

/// Where the shared cluster and its locks are.
fn directory() -> Result<PathBuf> {
    let owner = std::fs::metadata("/proc/self")?.uid();
    let directory = std::env::temp_dir().join(format!("stoa-postgres-{owner}"));
    std::fs::create_dir_all(&directory)?;
    Ok(directory)
}

fn open(directory: &Path, name: &str) -> Result<File> {
    let path = directory.join(name);
    Ok(OpenOptions::new().create(true).truncate(false).write(true).read(true).open(path)?)
}

/// Finds the shared cluster or starts it. The file is the lock that keeps it alive.
fn join() -> Result<(String, File)> {
    let directory = directory()?;
    std::fs::set_permissions(&directory, Permissions::from_mode(0o755))?;
    let gate = open(&directory, "gate")?;
    gate.lock()?;
    let users = open(&directory, "users")?;
    users.lock_shared()?;
    let sockets = directory.join("data");
    let admin = url(&sockets, PORT);
    if execute(&admin, "SELECT 1").is_err() {
        initdb(&directory)?;
        let mut keeper = Command::new("sh");
        keeper.args(["-c", KEEPER, "keeper"]).arg(&directory);
        keeper.args(server(&directory)?).process_group(0);
        spawn(keeper, &directory)?;
        wait_for(&admin)?;
    }
    sweep(&admin)?;
    Ok((admin, users))
}

/// Drops the databases of processes that died before they could.
fn sweep(admin: &str) -> Result<()> {
    const NAMES: &str = "SELECT COALESCE(string_agg(datname, ' '), '') FROM pg_database \
         WHERE datname LIKE 'test\\_%'";
    for name in text(admin, NAMES)?.split_whitespace() {
        let process = name.split('_').nth(1).unwrap_or_default();
        if !Path::new("/proc").join(process).exists() {
            execute(admin, &format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"))?;
        }
    }
    Ok(())
}

/// A cluster of one test: it can be stopped and started, and it survives `kill -9`.
pub struct Cluster {
    directory: TempDir,
    /// Where it is reached over TLS, if it is.
    port: Option<u16>,
    running: Option<Child>,
}

impl Cluster {
    /// Makes and starts one.
    ///
    /// # Errors
    /// Where the server's programs are not there or do not start.
    pub fn start() -> Result<Self> {
        let directory = TempDir::with_prefix("stoa-pg-")?;
        std::fs::set_permissions(directory.path(), Permissions::from_mode(0o755))?;
        initdb(directory.path())?;
        let mut cluster = Self { directory, port: None, running: None };
        cluster.resume()?;
        Ok(cluster)
    }

    /// Starts it again as a standby, which shows what it has and takes no commits.
    ///
    /// # Errors
    /// Where it does not start.
    pub fn stand_by(&mut self) -> Result<()> {
        self.kill();
        std::fs::write(self.directory.path().join("data/standby.signal"), "")?;
        self.resume()
    }

    /// Starts it again, to be reached on a free port of this machine over TLS alone: the port.
    ///
    /// # Errors
    /// Where it does not start.
    pub fn encrypt(&mut self, certificate: &str, key: &str) -> Result<u16> {
        self.kill();
        let data = self.directory.path().join("data");
        for (name, text) in [("server.crt", certificate), ("server.key", key)] {
            std::fs::write(data.join(name), text)?;
            std::fs::set_permissions(data.join(name), Permissions::from_mode(0o600))?;
            if let Some(user) = unprivileged()? {
                Command::new("chown").arg(&user).arg(data.join(name)).status()?;
            }
        }
        std::fs::write(
            data.join("pg_hba.conf"),
            "local all all trust\nhostssl all all all trust\n",
        )?;
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        self.port = Some(port);
        self.resume()?;
        Ok(port)
    }

    /// Where its databases are reached.
    pub fn sockets(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    /// A fresh database.
    ///
    /// # Errors
    /// Those of the server.
    pub fn database(&self) -> Result<Database> {
        Database::create(&self.admin(), "template0")
    }

    /// Kills it: every connection is gone.
    pub fn kill(&mut self) {
        let Some(mut running) = self.running.take() else { return };
        // `SIGQUIT` is the server's own crash: it ends at once and recovers when it starts.
        let _ = Command::new("kill").arg("-QUIT").arg(running.id().to_string()).status();
        let _ = running.wait();
    }

    /// Starts it again.
    ///
    /// # Errors
    /// Where it does not start.
    pub fn resume(&mut self) -> Result<()> {
        let mut arguments = server(self.directory.path())?;
        if let Some(port) = self.port {
            let settings = ["ssl=on", "listen_addresses=127.0.0.1", &format!("port={port}")];
            arguments.extend(settings.iter().flat_map(|one| ["-c".to_owned(), (*one).to_owned()]));
        }
        let mut command = Command::new(&arguments[0]);
        command.args(&arguments[1..]);
        self.running = Some(spawn(command, self.directory.path())?);
        wait_for(&self.admin())
    }

    /// The URL of its superuser.
    fn admin(&self) -> String {
        url(&self.sockets(), self.port.unwrap_or(PORT))
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.kill();
    }
}

fn url(sockets: &Path, port: u16) -> String {
    let host = sockets.display().to_string().replace('/', "%2F");
    format!("postgresql://postgres@{host}:{port}/postgres")
}

fn initdb(directory: &Path) -> Result<()> {
    let data = directory.join("data");
    if data.exists() {
        std::fs::remove_dir_all(&data)?;
    }
    std::fs::create_dir(&data)?;
    let mut command = Vec::new();
    if let Some(user) = unprivileged()? {
        Command::new("chown").arg(&user).arg(&data).status()?;
        command.extend(["setpriv".to_owned(), format!("--reuid={user}")]);
        command.extend([format!("--regid={user}"), "--clear-groups".to_owned()]);
    }
    command.push(program("initdb")?.display().to_string());
    // A default collation that is not C: what forgets to ask for C shows.
    let locale = ["--encoding=UTF8", "--locale=C.UTF-8", "--locale-provider=icu"];
    let output = Command::new(&command[0])
        .args(&command[1..])
        .args(["--username=postgres", "--auth=trust", "--no-sync", "--icu-locale=en-US"])
        .args(locale)
        .arg("--pgdata")
        .arg(&data)
        .current_dir("/")
        .output()?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("initdb: {}", String::from_utf8_lossy(&output.stderr)).into())
}

/// The command of a server that ends with whoever starts it.
fn server(directory: &Path) -> Result<Vec<String>> {
    let mut command = vec!["setpriv".to_owned(), "--pdeathsig=KILL".to_owned()];
    if let Some(user) = unprivileged()? {
        command.extend([format!("--reuid={user}"), format!("--regid={user}")]);
        command.push("--clear-groups".to_owned());
    }
    let data = directory.join("data").display().to_string();
    command.push(program("postgres")?.display().to_string());
    command.extend(["-D".to_owned(), data.clone(), "-k".to_owned(), data]);
    let settings = [
        "listen_addresses=",
        "max_connections=300",
        "shared_buffers=64MB",
        "fsync=off",
        "full_page_writes=off",
        "max_wal_size=512MB",
    ];
    command.extend(settings.iter().flat_map(|setting| ["-c".to_owned(), (*setting).to_owned()]));
    Ok(command)
}

/// PostgreSQL refuses to run as root: the user to run it as, where the tests do.
fn unprivileged() -> Result<Option<String>> {
    if std::fs::metadata("/proc/self")?.uid() != 0 {
        return Ok(None);
    }
    let users = std::fs::read_to_string("/etc/passwd")?;
    let known = ["postgres", "nobody"]
        .into_iter()
        .find(|name| users.lines().any(|line| line.starts_with(&format!("{name}:"))));
    Ok(Some(known.ok_or("there is no user to run PostgreSQL as")?.to_owned()))
}

/// One of the server's programs, in the path or where Debian keeps the newest.
fn program(name: &str) -> Result<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut places: Vec<PathBuf> = std::env::split_paths(&path).collect();
    let debian = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut versions: Vec<PathBuf> = debian.map(|entry| entry.path().join("bin")).collect();
    versions.sort();
    places.extend(versions.into_iter().rev());
    let found = places.into_iter().map(|place| place.join(name)).find(|file| file.is_file());
    found.ok_or_else(|| format!("`{name}` is not installed; install PostgreSQL 15 or later").into())
}

fn spawn(mut command: Command, directory: &Path) -> Result<Child> {
    let log = File::create(directory.join("log"))?;
    command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).current_dir("/");
    Ok(command.spawn()?)
}

fn wait_for(admin: &str) -> Result<()> {
    let mut last = None;
    for _ in 0..STARTING_MAX {
        match execute(admin, "SELECT 1") {
            Ok(()) => return Ok(()),
            Err(error) => last = Some(error),
        }
        // The server says to nobody that it is ready; it can only be asked.
        std::thread::sleep(Duration::from_millis(20));
    }
    Err(last.unwrap_or_else(|| "the server did not start".into()))
}

fn execute(url: &str, sql: &str) -> Result<()> {
    connected(url, async |client| Ok(client.batch_execute(sql).await?))
}

fn text(url: &str, sql: &str) -> Result<String> {
    connected(url, async |client| {
        let messages = client.simple_query(sql).await?;
        let row = messages.iter().find_map(|message| match message {
            tokio_postgres::SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
            _ => None,
        });
        row.ok_or_else(|| format!("no row: {sql}").into())
    })
}

/// Every value of every table, as text where it is text; a table's name and its columns' come first.
pub(crate) fn rows(url: &str) -> Result<Vec<(String, Vec<String>, Vec<Vec<u8>>)>> {
    const TABLES: &str = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'";
    connected(url, async |client| {
        let mut rows = Vec::new();
        for table in records(client, TABLES).await? {
            let table = table.get(0).unwrap_or_default().to_owned();
            for row in records(client, &format!("SELECT * FROM {table}")).await? {
                let names = row.columns().iter().map(|column| column.name().to_owned()).collect();
                let values = (0..row.len()).map(|index| bytes(row.get(index).unwrap_or_default()));
                rows.push((table.clone(), names, values.collect()));
            }
        }
        Ok(rows)
    })
}

async fn records(
    client: &tokio_postgres::Client, sql: &str,
) -> Result<Vec<tokio_postgres::SimpleQueryRow>> {
    let messages = client.simple_query(sql).await?;
    let rows = messages.into_iter().filter_map(|message| match message {
        tokio_postgres::SimpleQueryMessage::Row(row) => Some(row),
        _ => None,
    });
    Ok(rows.collect())
}

/// What a value holds: bytes are shown as `\x` and two digits for each.
fn bytes(shown: &str) -> Vec<u8> {
    let digits = shown.strip_prefix("\\x").unwrap_or_default().as_bytes();
    let read = digits.chunks(2).map(|two| u8::from_str_radix(str::from_utf8(two).ok()?, 16).ok());
    let read: Option<Vec<u8>> = read.collect();
    read.filter(|read| !read.is_empty()).unwrap_or_else(|| shown.as_bytes().to_vec())
}

/// Runs on a thread of its own: the caller may itself be inside a runtime.
fn connected<T: Send>(
    url: &str, body: impl AsyncFnOnce(&tokio_postgres::Client) -> Result<T> + Send,
) -> Result<T> {
    let work = || -> Result<T, String> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| error.to_string())?;
        let outcome = runtime.block_on(async {
            let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
            let connection = tokio::spawn(connection);
            let outcome = body(&client).await;
            drop(client);
            let _ = connection.await;
            outcome
        });
        outcome.map_err(|error: Box<dyn Error>| match error.source() {
            Some(source) => format!("{error}: {source}"),
            None => error.to_string(),
        })
    };
    let ended = std::thread::scope(|scope| scope.spawn(work).join());
    Ok(ended.map_err(|_| "the connection panicked")??)
}
