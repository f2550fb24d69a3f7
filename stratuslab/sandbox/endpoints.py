"""Where the services of a location are."""


def endpoints(url: str, location: str) -> dict[str, str]:
    """Return the URLs of a location by their names in the configuration file; `url` is the server's."""
    return {
        "endpoint": f"{url}/{location}/one-proxy/xmlrpc",
        "pdisk_endpoint": f"{url}/{location}/pdisk",
        "marketplace_endpoint": f"{url}/{location}/marketplace",
    }
