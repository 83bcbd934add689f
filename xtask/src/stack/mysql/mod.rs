//! A private MySQL 9 from Debian's packages, run through its own loader and libraries, so that it
//! needs neither root nor the right Debian.

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::Server;
use super::cache::Cache;
use super::folder::{RunFolder, copy_folder};
use super::port::Port;
use super::recipe::Recipe;
use super::server::{START_LIMIT, start_on_free_ports};
use crate::process::{Process, bound_command, run_logged};

mod hostile;

pub use hostile::USUAL_SESSION;

/// A user that may do everything over TCP, GRANT included.
pub const ROOT_USER: &str = "root";

/// The password of [`ROOT_USER`] over TCP.
pub const ROOT_PASSWORD: &str = "root";

/// The server listens here only.
const HOST: &str = "127.0.0.1";

pub(super) const RECIPE: Recipe = Recipe {
    name: "mysql-9-r1",
    expected_bytes: 560_000_000,
    programs: &["apt-get", "dpkg-deb"],
    fill,
};

/// How a private server differs from the usual one.
#[derive(Debug, Clone, Default)]
pub struct MysqlOptions {
    /// Further arguments of `mysqld`, such as `--gtid-mode=OFF`; they win over ours.
    pub extra_arguments: Vec<String>,
    /// Statements that the server runs at each start, one in a line.
    pub start_statements: String,
    /// Whether it has a keyring, which encryption takes its keys from.
    pub has_keyring: bool,
}

/// A running MySQL server with GTIDs, full row metadata, an empty binlog and the durable default
/// settings. Dropping it removes it and its data.
#[derive(Debug)]
pub struct Mysql {
    process: Option<Process>,
    installation: Installation,
    options: MysqlOptions,
    port: Port,
    folder: RunFolder,
}

impl Mysql {
    /// Starts a server with data of its own and waits until it answers.
    pub fn start(cache: &Cache, options: &MysqlOptions) -> Result<Self> {
        Self::start_from(cache, &Installation::at(&cache.fetch(&RECIPE)?)?, options)
    }

    /// The same with the programs of this installation.
    pub(super) fn start_from(
        cache: &Cache,
        installation: &Installation,
        options: &MysqlOptions,
    ) -> Result<Self> {
        start_on_free_ports(|| {
            let mut mysql = Self {
                process: None,
                installation: installation.clone(),
                options: options.clone(),
                port: Port::pick(cache)?,
                folder: RunFolder::create("mysql")?,
            };
            fs::create_dir(mysql.folder().join("server"))?;
            mysql.make_data()?;
            fs::write(mysql.start_file(), &options.start_statements)?;
            if options.has_keyring {
                installation.add_keyring(&mysql.data_folder(), mysql.folder.path())?;
            }
            mysql.start_again()?;
            Ok(mysql)
        })
    }

    /// The address it listens on.
    pub fn host(&self) -> &'static str {
        HOST
    }

    /// The TCP port it listens on; [`ROOT_USER`] can log in there.
    pub fn port(&self) -> u16 {
        self.port.number()
    }

    /// The temporary folder of everything that is its own.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Where its data and binlog files are: as deep below its folder as MySQL's own tests expect.
    pub fn data_folder(&self) -> PathBuf {
        self.folder.path().join("server/data")
    }

    /// What it is started with after the usual arguments, from its next start on.
    pub fn set_extra_arguments(&mut self, arguments: Vec<String>) {
        self.options.extra_arguments = arguments;
    }

    /// Whether it ended by itself, or by a statement.
    pub fn has_ended(&mut self) -> Result<bool> {
        self.process.as_mut().map_or(Ok(true), Process::has_ended)
    }

    /// Its error log.
    pub fn log_file(&self) -> PathBuf {
        self.folder.path().join("mysqld.log")
    }

    /// Runs statements as root and returns what they print: a line a row, tabs between columns.
    pub fn sql(&self, statements: &str) -> Result<String> {
        self.installation.sql(&self.socket(), statements)
    }

    /// A command of a program of the same MySQL (`mysql`, `mysqlbinlog`, `mysqldump`) that is
    /// logged in as root.
    pub fn client(&self, program: &str) -> Command {
        let mut command = self.installation.command(Command::new, &format!("bin/{program}"));
        command.args(["--no-defaults", "--user=root"]);
        command.arg(format!("--socket={}", self.socket().display()));
        command
    }

    fn start_file(&self) -> PathBuf {
        self.folder.path().join("start.sql")
    }

    /// The socket that root logs in by, without a password.
    pub fn socket(&self) -> PathBuf {
        self.folder.path().join("socket")
    }

    /// Copies the data that servers start from. Whether names have a case is decided when data is
    /// made (MySQL manual, "Identifier Case Sensitivity"), so such a server makes its own.
    fn make_data(&self) -> Result<()> {
        let arguments = &self.options.extra_arguments;
        let option = arguments.iter().find(|it| it.starts_with("--lower-case-table-names"));
        match option {
            None => copy_folder(&self.installation.data_template(), &self.data_folder()),
            Some(option) => {
                let (data, folder) = (self.data_folder(), self.folder.path());
                make_data(&self.installation, &data, folder, std::slice::from_ref(option))
            }
        }
    }
}

impl Server for Mysql {
    fn launch(&self) -> Result<Process> {
        let mut arguments = vec![
            format!("--port={}", self.port()),
            format!("--bind-address={HOST}"),
            "--skip-name-resolve".to_owned(),
            "--mysqlx=OFF".to_owned(),
            "--server-id=1".to_owned(),
            "--log-bin=binlog".to_owned(),
            "--gtid-mode=ON".to_owned(),
            "--enforce-gtid-consistency=ON".to_owned(),
            "--binlog-row-metadata=FULL".to_owned(),
            "--innodb-buffer-pool-size=128M".to_owned(),
            format!("--init-file={}", self.start_file().display()),
        ];
        arguments.extend_from_slice(&self.options.extra_arguments);
        let (data, socket) = (self.data_folder(), self.socket());
        self.installation.launch(&data, &socket, &self.log_file(), &arguments)
    }

    fn process(&mut self) -> &mut Option<Process> {
        &mut self.process
    }
}

/// The unpacked packages and a data folder made from them.
#[derive(Debug, Clone)]
pub(super) struct Installation {
    folder: PathBuf,
    libraries: PathBuf,
    loader: PathBuf,
}

impl Installation {
    /// What a fetched folder contains.
    pub(super) fn at(folder: &Path) -> Result<Self> {
        let (triplet, loader) = match std::env::consts::ARCH {
            "x86_64" => ("x86_64-linux-gnu", "ld-linux-x86-64.so.2"),
            "aarch64" => ("aarch64-linux-gnu", "ld-linux-aarch64.so.1"),
            other => bail!("there is no MySQL package for {other}"),
        };
        let libraries = folder.join("root/usr/lib").join(triplet);
        let loader = libraries.join(loader);
        Ok(Self { folder: folder.to_path_buf(), libraries, loader })
    }

    /// A command for a program below `usr`, through the packages' own loader. `new` is
    /// [`bound_command`] or `Command::new`.
    pub(super) fn command(&self, new: impl Fn(PathBuf) -> Command, program: &str) -> Command {
        let mut command = new(self.loader.clone());
        command.arg("--library-path").arg(&self.libraries).arg(self.usr(program));
        command
    }

    pub(super) fn usr(&self, path: &str) -> PathBuf {
        self.folder.join("root/usr").join(path)
    }

    /// An initialised data folder with the TCP login of root, to be copied.
    fn data_template(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// Gives the server of a data folder a keyring in another folder. The installation's own files
    /// only say that each data folder may have one.
    fn add_keyring(&self, data: &Path, folder: &Path) -> Result<()> {
        const COMPONENT: &str = "component_keyring_file";
        let settings = format!("{COMPONENT}.cnf");
        for (path, text) in [
            (self.usr("sbin/mysqld.my"), r#"{"read_local_manifest": true}"#),
            (self.usr("lib/mysql/plugin").join(&settings), r#"{"read_local_config": true}"#),
        ] {
            // Moved into place whole: other servers may start at the same time.
            let written = folder.join("written");
            fs::write(&written, text)?;
            fs::copy(&written, path.with_extension("new"))?;
            fs::rename(path.with_extension("new"), path)?;
        }
        let keys = folder.join("keyring");
        fs::write(data.join("mysqld.my"), format!(r#"{{"components": "file://{COMPONENT}"}}"#))?;
        let settings_text = format!(r#"{{"path": "{}", "read_only": false}}"#, keys.display());
        Ok(fs::write(data.join(settings), settings_text)?)
    }

    /// Starts `mysqld` on a data folder and waits until it accepts connections.
    fn launch(
        &self,
        data: &Path,
        socket: &Path,
        log: &Path,
        arguments: &[String],
    ) -> Result<Process> {
        let mut command = self.server(data);
        command.arg(format!("--socket={}", socket.display()));
        command.arg(format!("--pid-file={}", socket.with_extension("pid").display()));
        command.args(arguments);
        let mut process = Process::start_logged("mysqld", command, log)?;
        process.wait_until(START_LIMIT, || greets(socket))?;
        Ok(process)
    }

    /// The options that every start of `mysqld` needs.
    fn server(&self, data: &Path) -> Command {
        let mut command = self.command(bound_command, "sbin/mysqld");
        command.args(["--no-defaults", "--user=root", "--secure-file-priv="]);
        for (option, path) in [
            ("datadir", data.to_path_buf()),
            ("basedir", self.folder.join("root/usr")),
            ("lc-messages-dir", self.usr("share/mysql")),
            ("character-sets-dir", self.usr("share/mysql/charsets")),
            ("plugin-dir", self.usr("lib/mysql/plugin")),
        ] {
            command.arg(format!("--{option}={}", path.display()));
        }
        command
    }

    fn sql(&self, socket: &Path, statements: &str) -> Result<String> {
        let mut command = self.command(Command::new, "bin/mysql");
        command.args(["--no-defaults", "--user=root", "--batch", "--skip-column-names"]);
        command.arg("--default-character-set=utf8mb4");
        command.arg(format!("--init-command={USUAL_SESSION}"));
        command.arg(format!("--socket={}", socket.display()));
        command.args(["--execute", statements]).stdin(Stdio::null());
        let output = command.output().context("cannot run the mysql client")?;
        if !output.status.success() {
            bail!("mysql failed: {}", String::from_utf8_lossy(&output.stderr).trim_end());
        }
        Ok(String::from_utf8(output.stdout)?)
    }
}

/// Whether a server sends its greeting: the first packet of the protocol, version 10 at byte 4.
fn greets(socket: &Path) -> bool {
    let Ok(mut connection) = UnixStream::connect(socket) else { return false };
    let mut start = [0_u8; 5];
    connection.set_read_timeout(Some(Duration::from_secs(1))).is_ok()
        && connection.read_exact(&mut start).is_ok()
        && start.last() == Some(&10)
}

fn fill(folder: &Path) -> Result<()> {
    install(folder, &["mysql-server-core", "mysql-client-core"])
}

/// Fetches these packages with apt, whose archive index is signed and holds every checksum, unpacks
/// them and makes the data folder that servers start from.
pub(super) fn install(folder: &Path, packages: &[&str]) -> Result<()> {
    let log = folder.join("fetch.log");
    let (archives, root) = (folder.join("apt/cache/archives"), folder.join("root"));
    for part in ["apt/lists/partial", "apt/cache/archives/partial", "apt/state"] {
        fs::create_dir_all(folder.join(part))?;
    }
    fs::create_dir(&root)?;
    File::create(folder.join("apt/state/status"))?;
    let keyring = "/usr/share/keyrings/debian-archive-keyring.gpg";
    if !Path::new(keyring).exists() {
        bail!("Debian's keys are missing: `apt-get install debian-archive-keyring`");
    }
    let source = format!("deb [signed-by={keyring}] {} sid main\n", debian_archive()?);
    fs::write(folder.join("apt/sources.list"), source)?;
    run_logged("apt-get update", apt(folder, &["update"]), &log)?;
    run_logged("apt-get", apt(folder, &[&["install"], packages].concat()), &log)?;
    for entry in fs::read_dir(archives)? {
        let package = entry?.path();
        if is_needed(&package) {
            let mut command = bound_command("dpkg-deb");
            command.arg("--extract").arg(package).arg(&root);
            run_logged("dpkg-deb", command, &log)?;
        }
    }
    fs::remove_dir_all(folder.join("apt"))?;
    make_data_template(&Installation::at(folder)?, folder)
}

/// Apt with folders of its own: it sees no installed package and changes nothing outside.
fn apt(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = bound_command("apt-get");
    command.env("DEBIAN_FRONTEND", "noninteractive").env("LC_ALL", "C");
    for (option, path) in [
        ("Dir::Etc::sourcelist", "apt/sources.list"),
        ("Dir::State", "apt/state"),
        ("Dir::State::Lists", "apt/lists"),
        ("Dir::State::status", "apt/state/status"),
        ("Dir::Cache", "apt/cache"),
    ] {
        command.arg(format!("-o{option}={}", folder.join(path).display()));
    }
    // As root apt downloads as the user `_apt`, which may not enter the cache folder.
    command.args(["-oDir::Etc::sourceparts=/dev/null", "-oAPT::Sandbox::User=root"]);
    command.args(["-oAPT::Install-Recommends=false", "-oAcquire::Languages=none"]);
    command.args(["-qq", "-y", "--download-only"]).args(arguments);
    command
}

/// The Debian archive that this machine already uses.
fn debian_archive() -> Result<String> {
    let folder = fs::read_dir("/etc/apt/sources.list.d").into_iter().flatten().flatten();
    let mut files: Vec<PathBuf> = folder.map(|entry| entry.path()).collect();
    files.sort();
    files.insert(0, PathBuf::from("/etc/apt/sources.list"));
    let mut texts = files.iter().filter_map(|file| fs::read_to_string(file).ok());
    texts
        .find_map(|text| archive_in(&text))
        .context("no Debian archive is named in /etc/apt/sources.list.d: add one, it has MySQL 9")
}

/// The first address in an apt sources file (either format) whose path is `/debian`.
fn archive_in(sources: &str) -> Option<String> {
    sources
        .lines()
        .filter(|line| !line.trim_start().starts_with('#'))
        .flat_map(str::split_whitespace)
        .find(|word| {
            let path = word.trim_end_matches('/');
            word.starts_with("http") && path.ends_with("/debian")
        })
        .map(ToOwned::to_owned)
}

/// Perl is there for MySQL's helper scripts only.
fn is_needed(package: &Path) -> bool {
    let name = package.file_name().unwrap_or_default().to_string_lossy();
    name.ends_with(".deb") && !name.starts_with("perl") && !name.starts_with("libperl")
}

/// Initialises a data folder once, so that a server starts in a second instead of five.
fn make_data_template(installation: &Installation, folder: &Path) -> Result<()> {
    make_data(installation, &installation.data_template(), folder, &[])
}

/// Initialises a data folder with further options; what it says goes to a file in `folder`.
fn make_data(
    installation: &Installation,
    data: &Path,
    folder: &Path,
    options: &[String],
) -> Result<()> {
    let log = folder.join("initialise.log");
    let mut initialise = installation.server(data);
    initialise.arg("--initialize-insecure").args(options);
    run_logged("mysqld --initialize-insecure", initialise, &log)?;
    // A socket's path may have 107 bytes, which a cache folder can exceed.
    let run = RunFolder::create("initialise")?;
    let socket = run.path().join("socket");
    let mut arguments =
        ["--skip-networking", "--skip-log-bin", "--mysqlx=OFF"].map(ToOwned::to_owned).to_vec();
    arguments.extend_from_slice(options);
    let mut process = installation.launch(data, &socket, &log, &arguments)?;
    let root = format!("{ROOT_USER}@'%'");
    let statements = format!(
        "CREATE USER {root} IDENTIFIED BY '{ROOT_PASSWORD}';
         GRANT ALL ON *.* TO {root} WITH GRANT OPTION;"
    );
    installation.sql(&socket, &statements)?;
    process.stop(START_LIMIT)?;
    // The identity of a server, which it makes up at its first start.
    fs::remove_file(data.join("auto.cnf"))?;
    Ok(())
}

#[cfg(test)]
mod tests;
