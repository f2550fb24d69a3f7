"""What the three services share: an HTTP server, TLS, and the ways of Jetty and Restlet."""
