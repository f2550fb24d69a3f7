"""What the three services stand on: an HTTP server, TLS, and the manners of Jetty and Restlet."""
