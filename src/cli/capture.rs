//! `emberwatch capture`: the frames of a running daemon's link, as a file for Wireshark.

use std::fs::File;
use std::io::BufWriter;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use crate::cli::check::load_or_complain;
use crate::cli::daemon::failed;
use crate::cli::way::SocketArgs;
use crate::cli::{Exit, config_paths, edge_runtime, ended, say};
use crate::field::pcap::{Capture, Medium, THEIR_ADDRESS};
use crate::runtime::control::Client;
use crate::runtime::control::protocol::LinkEntry;

/// The daemon follows frames no longer.
const LASTING_MAX: Duration = Duration::from_secs(3600);

/// Arguments of `capture`.
#[derive(clap::Args)]
#[command(after_help = "\
Open it:  wireshark FILE        Modbus TCP decodes by itself
          wireshark -d rtacser.data,mbrtu FILE        a serial link: RTU
          tshark -r FILE -Y modbus        add the same -d for a serial link

The daemon keeps the last 64 KiB of each link's frames at all times: --for 0s writes what is kept and ends.
TLS links are captured inside the encryption. Nothing is sent on the link.")]
pub(crate) struct CaptureArgs {
    /// The link, by its id.
    #[arg(short, long, value_name = "ID")]
    link: String,
    /// How long to go on after what is kept; an hour at most. Ctrl-C ends it earlier, and the file is whole.
    #[arg(long = "for", value_name = "DURATION", default_value = "60s", value_parser = super::parse_duration)]
    lasting: Duration,
    /// The file; one that exists is not overwritten.
    #[arg(short, long, value_name = "FILE")]
    out: PathBuf,
    /// The configuration of the daemon, to find its socket: a file, or a directory.
    #[arg(short, long, value_name = "PATH")]
    config: Vec<PathBuf>,
    #[command(flatten)]
    socket: SocketArgs,
}

/// Writes what is kept and what passes.
pub(crate) fn capture(args: &CaptureArgs) -> Exit {
    let state_dir = if args.config.is_empty() {
        None
    } else {
        let Some(loaded) = load_or_complain(&config_paths(&args.config)) else { return Exit::Config };
        Some(loaded.state_dir)
    };
    let socket = args.socket.path(state_dir.as_deref());
    let runtime = match edge_runtime() {
        Ok(runtime) => runtime,
        Err(error) => {
            say(&format!("emberwatch capture: cannot start: {error}"));
            return Exit::Internal;
        }
    };
    let outcome = runtime.block_on(async {
        let mut client = Client::connect(&socket).await.map_err(failed)?;
        let links = client.links().await.map_err(failed)?;
        let Some(link) = links.iter().find(|link| link.id == args.link) else {
            let names: Vec<&str> = links.iter().map(|link| link.id.as_str()).collect();
            return Err((Exit::Usage, format!("no link `{}`; there are: {}", args.link, names.join(", "))));
        };
        save(client.on(args.link.clone()), link, args).await
    });
    match outcome {
        Ok(()) => Exit::Ok,
        Err((exit, sentence)) => {
            say(&format!("emberwatch capture: {sentence}"));
            exit
        }
    }
}

async fn save(mut client: Client, link: &LinkEntry, args: &CaptureArgs) -> Result<(), (Exit, String)> {
    let cannot =
        |error: std::io::Error| (Exit::CannotCreate, format!("cannot write {}: {error}", args.out.display()));
    let file = File::create_new(&args.out).map_err(cannot)?;
    let medium = if link.is_rtu() { Medium::Serial } else { Medium::Tcp(server(link).await) };
    let mut capture = Capture::begin(BufWriter::new(file), medium).map_err(cannot)?;
    let mut count = 0_u64;
    let follow = !args.lasting.is_zero();
    client.begin_frames(0, follow).await.map_err(failed)?;
    let end = ended(Some(args.lasting.min(LASTING_MAX)));
    tokio::pin!(end);
    loop {
        let frame = tokio::select! {
            biased;
            () = &mut end, if follow => break,
            frame = client.frame() => frame.map_err(failed),
        };
        match frame {
            Ok(Ok(frame)) => {
                capture.add(&frame).map_err(cannot)?;
                count += 1;
            }
            Ok(Err(_)) => break,
            Err((exit, sentence)) => {
                // What came before is worth keeping.
                capture.finish().map_err(cannot)?;
                return Err((exit, format!("{sentence}; {count} frames were saved before")));
            }
        }
    }
    capture.finish().map_err(cannot)?;
    let hint = if link.is_rtu() { "-d rtacser.data,mbrtu " } else { "" };
    say(&format!("{count} frames; open it:  wireshark {hint}{}", args.out.display()));
    Ok(())
}

/// The server's address, where it has one of version 4.
async fn server(link: &LinkEntry) -> Ipv4Addr {
    let Some(place) = link.places.first() else { return THEIR_ADDRESS };
    let found: Vec<SocketAddr> =
        tokio::net::lookup_host(place.as_str()).await.map(Iterator::collect).unwrap_or_default();
    let ipv4 = found.iter().find_map(|address| match address.ip() {
        IpAddr::V4(ip) => Some(ip),
        IpAddr::V6(_) => None,
    });
    ipv4.unwrap_or(THEIR_ADDRESS)
}
