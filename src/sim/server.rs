//! The room over Modbus TCP. A connection that misbehaves ends alone.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_modbus::server::Service;
use tokio_modbus::server::tcp::{Server, accept_tcp_connection};
use tokio_modbus::{ExceptionCode, Request, Response, SlaveRequest};
use tokio_util::sync::CancellationToken;

use crate::clock;
use crate::sim::{Shared, Write};

/// Clients at a time; more wait to be accepted.
const CLIENTS_MAX: usize = 32;

/// How long a silent unit keeps its connection hanging, so that it ends some time.
const SILENCE: Duration = Duration::from_secs(60);

/// How long the server rests after it could not accept (no file descriptors, for instance).
const RETRY_AFTER: Duration = Duration::from_millis(200);

/// Serves clients until the stop.
pub(super) async fn serve(listener: TcpListener, shared: Arc<Shared>, stop: CancellationToken) {
    let places = Arc::new(Semaphore::new(CLIENTS_MAX));
    let server = Server::new(listener);
    let accept = |stream: TcpStream, peer| {
        let (places, shared) = (Arc::clone(&places), Arc::clone(&shared));
        async move {
            let Ok(place) = places.acquire_owned().await else { return Ok(None) };
            // Only slower without it.
            let _ = stream.set_nodelay(true);
            let unit = Unit { shared, _place: Arc::new(place) };
            accept_tcp_connection(stream, peer, |_| Ok(Some(unit.clone())))
        }
    };
    let failed = |error: std::io::Error| tracing::debug!(%error, "a client of the simulated room ended");
    while !stop.is_cancelled() {
        tokio::select! {
            ended = server.serve(&accept, failed) => {
                if let Err(error) = ended {
                    tracing::warn!(%error, "the simulated room could not accept a client");
                }
                tokio::time::sleep(RETRY_AFTER).await;
            }
            () = stop.cancelled() => {}
        }
    }
}

/// All units, for one client.
#[derive(Clone)]
struct Unit {
    shared: Arc<Shared>,
    _place: Arc<tokio::sync::OwnedSemaphorePermit>,
}

impl Service for Unit {
    type Request = SlaveRequest<'static>;
    type Response = Response;
    type Exception = ExceptionCode;
    type Future = Pin<Box<dyn Future<Output = Result<Response, ExceptionCode>> + Send>>;

    fn call(&self, request: Self::Request) -> Self::Future {
        let shared = Arc::clone(&self.shared);
        Box::pin(async move {
            if shared.room().is_silent(request.slave) {
                tokio::time::sleep(SILENCE).await;
                return Err(ExceptionCode::GatewayTargetDevice);
            }
            answer(&shared, request.slave, request.request)
        })
    }
}

pub(super) fn answer(shared: &Shared, unit: u8, request: Request<'_>) -> Result<Response, ExceptionCode> {
    let mut room = shared.room();
    match request {
        Request::ReadHoldingRegisters(address, count) => {
            room.holding(unit, address, count).map(Response::ReadHoldingRegisters)
        }
        Request::ReadInputRegisters(address, count) => {
            room.input(unit, address, count).map(Response::ReadInputRegisters)
        }
        Request::ReadCoils(address, count) => room.coils(unit, address, count).map(Response::ReadCoils),
        Request::ReadDiscreteInputs(address, count) => {
            room.discrete(unit, address, count).map(Response::ReadDiscreteInputs)
        }
        Request::WriteSingleCoil(coil, on) => {
            // First the address, so that a refused write leaves no trace.
            room.coils(unit, coil, 1)?;
            room.write_coil(unit, coil, on);
            drop(room);
            shared.wrote(Write { at: clock::uptime(), unit, coil, on });
            Ok(Response::WriteSingleCoil(coil, on))
        }
        Request::WriteMultipleCoils(address, bits) => {
            let count = u16::try_from(bits.len()).map_err(|_| ExceptionCode::IllegalDataValue)?;
            room.coils(unit, address, count)?;
            for (coil, on) in (address..).zip(bits.iter()) {
                room.write_coil(unit, coil, *on);
            }
            drop(room);
            for (coil, on) in (address..).zip(bits.iter()) {
                shared.wrote(Write { at: clock::uptime(), unit, coil, on: *on });
            }
            Ok(Response::WriteMultipleCoils(address, count))
        }
        _ => Err(ExceptionCode::IllegalFunction),
    }
}
