//! MySQL's own regression tests, from Debian's package of the server's version: scripts of the
//! program `mysqltest`, which runs them against a private server.
//!
//! Its driver `mysql-test-run.pl` is not used. What a script expects of it is here: folders,
//! environment variables, the database `mtr`, and that a server that the script ended comes back.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use super::cache::Cache;
use super::mysql::{Installation, Mysql, MysqlOptions, install};
use super::recipe::Recipe;
use super::server::Server as _;
use crate::process::bound_command;

const RECIPE: Recipe = Recipe {
    name: "mysql-9-suite-r1",
    expected_bytes: 1_900_000_000,
    programs: &["apt-get", "dpkg-deb"],
    fill,
};

/// The suite, and a server of the same version.
#[derive(Debug, Clone)]
pub struct MysqlSuite {
    installation: Installation,
}

/// What scripts include that turn GTIDs off for a while: such a script needs a server without.
pub const WITHOUT_GTIDS: [&str; 2] = ["set_gtid_mode_off.inc", "set_gtid_mode_on.inc"];

/// Variables that hold a command of a client program that is logged in as root.
const CLIENTS: [(&str, &str); 8] = [
    ("MYSQL", "mysql"),
    ("MYSQL_DUMP", "mysqldump"),
    ("MYSQL_BINLOG", "mysqlbinlog"),
    ("MYSQLADMIN", "mysqladmin"),
    ("MYSQL_CHECK", "mysqlcheck"),
    ("MYSQL_IMPORT", "mysqlimport"),
    ("MYSQL_SHOW", "mysqlshow"),
    ("MYSQL_SLAP", "mysqlslap"),
];

/// Variables that hold a command of a program that needs no server.
const TOOLS: [(&str, &str); 8] = [
    ("EXE_MYSQL", "bin/mysql"),
    ("INNOCHECKSUM", "bin/innochecksum"),
    ("IBD2SDI", "bin/ibd2sdi"),
    ("MYISAMCHK", "bin/myisamchk"),
    ("MYISAMPACK", "bin/myisampack"),
    ("MY_PERROR", "bin/perror"),
    ("MYSQL_TZINFO_TO_SQL", "bin/mysql_tzinfo_to_sql"),
    ("MYSQLD", "sbin/mysqld"),
];

impl MysqlSuite {
    /// Fetches it if it is missing: 340 MB, 2 GB unpacked.
    pub fn fetch(cache: &Cache) -> Result<Self> {
        Ok(Self { installation: Installation::at(&cache.fetch(&RECIPE)?)? })
    }

    /// The folder with the scripts: `t` for the suite `main`, `suite/NAME/t` for others.
    pub fn folder(&self) -> PathBuf {
        self.installation.usr("lib/mysql-test")
    }

    /// Starts a server that scripts can be run against, with an empty database `test`.
    pub fn start_server(&self, cache: &Cache, options: &MysqlOptions) -> Result<Mysql> {
        let mysql = Mysql::start_from(cache, &self.installation, options)?;
        for folder in ["tmp", "log", "run"] {
            fs::create_dir(mysql.folder().join(folder))?;
        }
        symlink(self.folder().join("std_data"), mysql.folder().join("std_data"))?;
        mysql.sql("SET SESSION sql_log_bin = 0; CREATE DATABASE test; CREATE DATABASE mtr")?;
        // The scripts call it to say which warnings of the server they cause.
        mysql.sql(
            "SET SESSION sql_log_bin = 0;
             CREATE PROCEDURE mtr.add_suppression(pattern TEXT) DO 0;",
        )?;
        Ok(mysql)
    }

    /// A command that runs one script, without a comparison of what it prints: a statement that
    /// fails where the script does not expect it ends it.
    pub fn command(&self, mysql: &Mysql, script: &Path) -> Command {
        let folder = mysql.folder();
        let mut command = self.installation.command(bound_command, "lib/mysql-test/bin/mysqltest");
        command.args(["--no-defaults", "--silent", "--user=root", "--database=test"]);
        for (option, path) in [
            ("socket", mysql.socket()),
            ("tmpdir", folder.join("tmp")),
            ("logdir", folder.join("log")),
            ("character-sets-dir", self.installation.usr("share/mysql/charsets")),
            ("test-file", script.to_path_buf()),
        ] {
            command.arg(format!("--{option}={}", path.display()));
        }
        command.current_dir(self.folder());
        for (variable, program) in CLIENTS {
            command.env(variable, words(&mysql.client(program)));
        }
        for (variable, program) in TOOLS {
            command.env(variable, words(&self.installation.command(Command::new, program)));
        }
        for (variable, path) in self.places(mysql) {
            command.env(variable, path);
        }
        command.env("MASTER_MYPORT", mysql.port().to_string());
        command.env("DEFAULT_MASTER_PORT", "3306").env("USE_RUNNING_SERVER", "0");
        command.envs([("LC_ALL", "C"), ("UMASK", "0660"), ("UMASK_DIR", "0770")]);
        command
    }

    fn places(&self, mysql: &Mysql) -> [(&'static str, PathBuf); 11] {
        let (folder, tests) = (mysql.folder(), self.folder());
        [
            ("MYSQLTEST_VARDIR", folder.to_path_buf()),
            ("MYSQLTEST_VARDIR_ABS", folder.to_path_buf()),
            ("MYSQL_TMP_DIR", folder.join("tmp")),
            ("MYSQL_TEST_DIR", tests.clone()),
            ("MYSQL_TEST_DIR_ABS", tests.clone()),
            ("SECURE_LOAD_PATH", tests.join("std_data")),
            ("MASTER_MYSOCK", mysql.socket()),
            ("MYSQL_BASEDIR", self.installation.usr("")),
            ("MYSQL_BINDIR", self.installation.usr("")),
            ("MYSQL_SHAREDIR", self.installation.usr("share/mysql")),
            ("MYSQL_CHARSETSDIR", self.installation.usr("share/mysql/charsets")),
        ]
    }

    /// Starts the server again if the script ended it and requests that by a file:
    /// `restart`, or `restart:` with arguments.
    pub fn revive(&self, mysql: &mut Mysql, arguments: &[String]) -> Result<()> {
        if !mysql.has_ended()? {
            return Ok(());
        }
        let expected = fs::read_to_string(mysql.folder().join("tmp/mysqld.1.expect"));
        let expected = expected.unwrap_or_default();
        let Some(further) = expected.trim().strip_prefix("restart") else { return Ok(()) };
        let further = further.trim_start_matches(':').split_whitespace().map(ToOwned::to_owned);
        mysql.set_extra_arguments(arguments.iter().cloned().chain(further).collect());
        mysql.start_again()
    }
}

/// A command as a shell takes it.
fn words(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
}

fn fill(folder: &Path) -> Result<()> {
    install(folder, &["mysql-server-core", "mysql-client-core", "mysql-testsuite"])?;
    // These turn GTIDs off and on as quickly as they can, which no operator may. The
    // server of a script with them is started without GTIDs instead.
    let includes = folder.join("root/usr/lib/mysql-test/include/rpl");
    for file in WITHOUT_GTIDS {
        fs::write(includes.join(file), "# The server is started without GTIDs.\n")?;
    }
    Ok(())
}
