//! Sockets that listen. On `[::]`, both families are listened to, whatever the system's default is; where the machine
//! has no IPv6, IPv4 alone.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, UdpSocket};

/// Connections that wait until they are accepted; what the system allows may be less.
const WAITING_CONNECTIONS: i32 = 1024;

/// Listens over TCP.
///
/// # Errors
/// When the address is taken, may not be used, or is none of this machine's.
pub fn listen_tcp(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = on_either(address, |address| {
        let socket = open(address, Type::STREAM, Protocol::TCP)?;
        // As servers that are started again need it.
        socket.set_reuse_address(true)?;
        socket.bind(&address.into())?;
        socket.listen(WAITING_CONNECTIONS)?;
        Ok(socket)
    })?;
    TcpListener::from_std(socket.into())
}

/// As [`listen_tcp`], over UDP.
pub(crate) fn listen_udp(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = on_either(address, |address| {
        let socket = open(address, Type::DGRAM, Protocol::UDP)?;
        socket.bind(&address.into())?;
        Ok(socket)
    })?;
    UdpSocket::from_std(socket.into())
}

fn open(address: SocketAddr, kind: Type, protocol: Protocol) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), kind, Some(protocol))?;
    socket.set_nonblocking(true)?;
    if is_everywhere(address) {
        socket.set_only_v6(false)?;
    }
    Ok(socket)
}

/// All addresses of both families.
fn is_everywhere(address: SocketAddr) -> bool {
    address.is_ipv6() && address.ip().is_unspecified()
}

fn on_either<S>(address: SocketAddr, listen: impl Fn(SocketAddr) -> io::Result<S>) -> io::Result<S> {
    match listen(address) {
        Err(error)
            if is_everywhere(address)
                && !matches!(error.kind(), io::ErrorKind::AddrInUse | io::ErrorKind::PermissionDenied) =>
        {
            tracing::info!(%error, "there is no IPv6 here: IPv4 alone is listened to");
            listen((Ipv4Addr::UNSPECIFIED, address.port()).into())
        }
        listened => listened,
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    #[test]
    fn where_there_is_no_ipv6_ipv4_is_listened_to_and_nothing_else_is_given_way_to() {
        let listen = |address: &str, kind: io::ErrorKind| {
            let tried = RefCell::new(Vec::new());
            let listened = on_either(address.parse().unwrap(), |address: SocketAddr| {
                tried.borrow_mut().push(address.to_string());
                if address.is_ipv6() { Err(io::Error::from(kind)) } else { Ok(()) }
            });
            (listened.is_ok(), tried.into_inner())
        };
        let both = vec!["[::]:53".to_owned(), "0.0.0.0:53".to_owned()];
        assert_eq!(listen("[::]:53", io::ErrorKind::Unsupported), (true, both));
        assert_eq!(listen("[::]:53", io::ErrorKind::AddrInUse), (false, vec!["[::]:53".to_owned()]));
        assert_eq!(listen("[::1]:53", io::ErrorKind::Unsupported), (false, vec!["[::1]:53".to_owned()]));
    }
}
