//! `tailwater init`: a configuration file from a few answers.

use std::{
    fs::File,
    io::{self, BufRead as _, IsTerminal as _, Write as _},
    path::{Path, PathBuf},
    sync::Arc,
};

use clap::Args;

use super::say::say;
use crate::{
    catalog::Inventory,
    config::{self, Config},
    error::{Failure, Reason, Verdict},
    map::is_system,
    mysql,
};

/// The variable that has the password, which is never asked for and never written to the file.
const PASSWORD_VARIABLE: &str = "MYSQL_PASSWORD";

/// Most databases that are listed.
const DATABASES_MAX: usize = 20;

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  \
    MYSQL_PASSWORD=… tailwater init --name shop --mysql db.example.com --user tailwater \\\n    \
    --tables 'shop.*' --kafka kafka.example.com:9092 --registry http://registry.example.com:8081")]
pub(super) struct InitArguments {
    /// The connector's name: the prefix of its topics.
    #[arg(long)]
    name: Option<String>,

    /// MySQL's host, with its port if that is not 3306.
    #[arg(long, value_name = "HOST[:PORT]")]
    mysql: Option<String>,

    /// The account on MySQL. Its password is read from the environment variable MYSQL_PASSWORD.
    #[arg(long)]
    user: Option<String>,

    /// Glob over database.table to capture; may be given several times.
    #[arg(long, value_name = "GLOB")]
    tables: Vec<String>,

    /// Kafka's bootstrap servers, as HOST:PORT separated by commas.
    #[arg(long, value_name = "SERVERS")]
    kafka: Option<String>,

    /// The schema registry's URL.
    #[arg(long, value_name = "URL")]
    registry: Option<String>,

    /// File to write. An existing file is not replaced.
    #[arg(long, default_value = "tailwater.toml", value_name = "FILE")]
    out: PathBuf,
}

/// What goes into the file.
struct InitAnswers {
    name: String,
    host: String,
    port: u16,
    user: String,
    tables: Vec<String>,
    kafka: String,
    registry: String,
}

/// Asks for what the arguments lack, and writes the file. Returns its name.
pub(super) async fn run(arguments: InitArguments) -> Result<PathBuf, Failure> {
    let out = arguments.out.clone();
    if out.exists() {
        let message = format!("{} exists, and is not replaced", out.display());
        return Err(refused(message).hint("Give another name with --out, or move the file away."));
    }
    let is_terminal = io::stdin().is_terminal() && io::stdout().is_terminal();
    let answers = answers(arguments, is_terminal).await?;
    write(&out, &text(&answers))
        .map_err(|error| refused(format!("cannot write {}: {error}", out.display())))?;
    say(&format!("written: {}", out.display()));
    say(&format!("the account's password is read from the variable {PASSWORD_VARIABLE}"));
    say(&format!("next, if the check is fine: tailwater run --config {}\n", out.display()));
    Ok(out)
}

async fn answers(arguments: InitArguments, is_terminal: bool) -> Result<InitAnswers, Failure> {
    let InitArguments { name, mysql, user, tables, kafka, registry, .. } = arguments;
    let mut questions = Questions { is_terminal, missing: Vec::new() };
    let mysql = questions.ask("--mysql", "MySQL's host", "127.0.0.1", mysql)?;
    let (host, port) = match mysql.rsplit_once(':') {
        Some((host, port)) if !host.contains(':') => {
            let port = port.parse().map_err(|_| refused(format!("`{port}` is no port")))?;
            (host.to_owned(), port)
        }
        _ => (mysql.clone(), 3306),
    };
    let user = questions.ask("--user", "the account on MySQL", "tailwater", user)?;
    let kafka = questions.ask("--kafka", "Kafka's bootstrap servers", "127.0.0.1:9092", kafka)?;
    let url = "http://127.0.0.1:8081";
    let registry = questions.ask("--registry", "the schema registry's URL", url, registry)?;
    let mut proposal = None;
    if is_terminal && tables.is_empty() {
        proposal = databases(&host, port, &user).await.into_iter().next();
    }
    let tables = if tables.is_empty() {
        let proposal = proposal.map_or("shop.*".to_owned(), |database| format!("{database}.*"));
        let given = questions.ask("--tables", "tables to capture, as globs", &proposal, None)?;
        given.split(',').map(|glob| glob.trim().to_owned()).collect()
    } else {
        tables
    };
    let first = tables.first().and_then(|glob| glob.split('.').next()).unwrap_or_default();
    let proposal = if first.contains(['*', '?']) { "mysql" } else { first };
    let name =
        questions.ask("--name", "the connector's name, the topics' prefix", proposal, name)?;
    questions.answered()?;
    Ok(InitAnswers { name, host, port, user, tables, kafka, registry })
}

/// Asks on a terminal, and notes what is missing elsewhere.
struct Questions {
    is_terminal: bool,
    missing: Vec<&'static str>,
}

impl Questions {
    fn ask(
        &mut self,
        option: &'static str,
        question: &str,
        proposal: &str,
        given: Option<String>,
    ) -> Result<String, Failure> {
        if let Some(given) = given {
            return Ok(given);
        }
        if !self.is_terminal {
            self.missing.push(option);
            return Ok(String::new());
        }
        let mut stdout = io::stdout().lock();
        let mut line = String::new();
        let asked = write!(stdout, "{question} [{proposal}]: ")
            .and_then(|()| stdout.flush())
            .and_then(|()| io::stdin().lock().read_line(&mut line));
        match asked {
            Ok(0) | Err(_) => Err(refused("there was no answer".to_owned())),
            Ok(_) if line.trim().is_empty() => Ok(proposal.to_owned()),
            Ok(_) => Ok(line.trim().to_owned()),
        }
    }

    fn answered(&self) -> Result<(), Failure> {
        if self.missing.is_empty() {
            return Ok(());
        }
        let options = self.missing.join(", ");
        Err(refused(format!("there is no terminal to ask on, and these are missing: {options}"))
            .hint("Give them as options; see `tailwater init --help`."))
    }
}

/// The databases of the source, which are shown; none if it cannot be reached.
async fn databases(host: &str, port: u16, user: &str) -> Vec<String> {
    let found = async {
        let text = text(&InitAnswers {
            name: "init".to_owned(),
            host: host.to_owned(),
            port,
            user: user.to_owned(),
            tables: vec!["*.*".to_owned()],
            kafka: "none:9092".to_owned(),
            registry: "http://none".to_owned(),
        });
        let config: Arc<Config> = Arc::new(config::of_text(&text)?);
        let mut connection = mysql::connect(&config.mysql).await?;
        let databases = Inventory::new(&mut connection, &config.mysql).databases().await?;
        Ok::<_, Failure>(databases)
    };
    match found.await {
        Ok(databases) => {
            let own = |name: &String| !is_system(name);
            let databases: Vec<String> = databases.into_iter().filter(own).collect();
            let shown: Vec<&str> =
                databases.iter().take(DATABASES_MAX).map(String::as_str).collect();
            say(&format!("databases that {user} may see: {}", shown.join(", ")));
            databases
        }
        Err(failure) => {
            say(&format!("cannot look at the databases: {}", failure.message));
            Vec::new()
        }
    }
}

fn write(path: &Path, text: &str) -> io::Result<()> {
    File::create_new(path)?.write_all(text.as_bytes())
}

/// The file. What is left out has its default, and is there as a comment where many change it.
fn text(answers: &InitAnswers) -> String {
    let InitAnswers { name, host, port, user, tables, kafka, registry } = answers;
    let quoted = |text: &str| toml::Value::String(text.to_owned()).to_string();
    let tables: Vec<String> = tables.iter().map(|glob| quoted(glob)).collect();
    format!(
        "# The configuration of a Tailwater connector; README.md has all keys.\n\
         # `tailwater check` tests it, `tailwater config show` prints it with all defaults.\n\n\
         # The prefix of topics. The position is saved under this name: do not change it later.\n\
         name = {}\n\n\
         [mysql]\n\
         host = {}\n\
         port = {port}\n\
         user = {}\n\
         password = {{ env = \"{PASSWORD_VARIABLE}\" }}   # or {{ file = \"/run/secrets/mysql\" }}\n\
         # tls = \"verify_identity\"               # default: preferred, which verifies nothing\n\
         # ca_file = \"ca.pem\"\n\n\
         [capture]\n\
         tables = [{}]   # globs over database.table\n\
         # exclude_tables = []\n\
         # exclude_columns = [\"shop.users.password\"]\n\n\
         [kafka]\n\
         bootstrap_servers = {}\n\
         # properties = {{ \"security.protocol\" = \"sasl_ssl\" }}   # librdkafka's names\n\
         # topic = {{ partitions = 6, replication_factor = 3 }}     # of topics that it creates\n\n\
         [schema_registry]\n\
         url = {}\n\n\
         # [format]\n\
         # envelope = \"flat\"                     # default: debezium\n",
        quoted(name),
        quoted(host),
        quoted(user),
        tables.join(", "),
        quoted(kafka),
        quoted(registry),
    )
}

fn refused(message: String) -> Failure {
    Failure::new(Verdict::Config, Reason::Config, message)
}
